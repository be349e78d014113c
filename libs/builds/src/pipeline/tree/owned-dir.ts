import { chown, mkdir, rm } from 'node:fs/promises';
import { buildAccount } from '#libs/platform';
import { runOnTree } from './tree-sandbox.js';

/** A directory that the build account may write to. */
export async function makeOwnedDir(dir: string): Promise<void> {
  const account = await buildAccount();
  await mkdir(dir, { recursive: true, mode: 0o755 });
  if (account) await chown(dir, account.uid, account.gid);
}

/** Removes a directory whose files may belong to subordinate ids, which only root or the namespace may touch. What was just killed in it may still be dying, hence the retries. */
export async function removeTree(dir: string): Promise<void> {
  if (process.getuid?.() === 0) return await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  await runOnTree('rm', ['-rf', '--one-file-system', '--', dir], { deadlineMs: 10 * 60_000 });
}
