import { chmod, chown, mkdir } from 'node:fs/promises';
import { buildAccount, discardTree as discardAnyTree, diskUsage, removeTree as removeAnyTree } from '#libs/platform';

/** A directory that the build account may write to. */
export async function makeOwnedDir(dir: string): Promise<void> {
  const account = await buildAccount();
  await mkdir(dir, { recursive: true, mode: 0o755 });
  if (account) await chown(dir, account.uid, account.gid);
}

/**
 * A directory that nobody enters but the factory and the build account: in the trees below it are set-uid programs, which would run as the ids of the
 * account for whoever reached them.
 */
export async function makeEnclosedDir(dir: string): Promise<void> {
  const account = await buildAccount();
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (account) await chown(dir, 0, account.gid);
  await chmod(dir, account ? 0o710 : 0o700);
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
