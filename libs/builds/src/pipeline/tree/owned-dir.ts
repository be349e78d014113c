import { chown, mkdir } from 'node:fs/promises';
import { buildAccount, discardTree as discardAnyTree, diskUsage, removeTree as removeAnyTree } from '#libs/platform';

/** A directory that the build account may write to. */
export async function makeOwnedDir(dir: string): Promise<void> {
  const account = await buildAccount();
  await mkdir(dir, { recursive: true, mode: 0o755 });
  if (account) await chown(dir, account.uid, account.gid);
}

/** Removes a directory whose files may belong to the build account's subordinate ids. @throws AppError `tree_not_removed` */
export async function removeTree(dir: string): Promise<void> {
  await removeAnyTree(dir, { account: await buildAccount() });
}

/** As removeTree, for what may as well go later: what cannot be removed is logged, stays, and is tried again when no build runs. */
export async function discardTree(dir: string): Promise<boolean> {
  return await discardAnyTree(dir, { account: await buildAccount() });
}

export async function discardTrees(dirs: readonly string[]): Promise<void> {
  for (const dir of dirs) await discardTree(dir);
}

/** Bytes that directories of builds take on the disk, in their order. Some may be entered only by root or in the namespace. */
export async function treeBytes(dirs: readonly string[], signal?: AbortSignal): Promise<number[]> {
  return await diskUsage(dirs, process.getuid?.() === 0 ? undefined : { account: undefined }, signal);
}
