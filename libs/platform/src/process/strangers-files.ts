import { lstat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { AppError } from '../errors/app-error.js';
import { runInNamespaces } from './namespaces.js';
import { asText } from './program-output.js';
import { runProgram, type Account, type RunOptions } from './run-program.js';

const withinMs = 10 * 60_000;
/** What was just killed may still be dying, and write on. */
const tries = 5;
const keptWords = 500;

/** Whose subordinate ids files may belong to; without an account, our own. */
export interface SubordinateOwner {
  account: Account | undefined;
}

/**
 * Removes a directory in which strangers may have left anything. rm(1) goes from descriptor to descriptor: no depth, no name, no mode and no link
 * stops it or leads it elsewhere, and it crosses no mount. What belongs to subordinate ids is removed as their owner, in its namespace.
 * @throws AppError `tree_not_removed`, which names no place; its cause does
 */
export async function removeTree(dir: string, owner?: SubordinateOwner): Promise<void> {
  let words = '';
  for (let attempt = 0; attempt < tries; attempt++) {
    await sleep(100 * attempt);
    const began = performance.now();
    words = await removeOnce(dir, owner).catch(String);
    if ((await lstat(dir).catch((error: NodeJS.ErrnoException) => error.code)) === 'ENOENT') return;
    if (performance.now() - began > withinMs / 2) break;
  }
  throw new AppError({
    kind: 'internal',
    reason: 'tree_not_removed',
    message: 'A directory could not be removed.',
    cause: new Error(`${dir}: ${words}`),
  });
}

/** As removeTree, for what may as well go later: what cannot be removed is logged and stays. @returns whether it is gone */
export async function discardTree(dir: string, owner?: SubordinateOwner): Promise<boolean> {
  try {
    await removeTree(dir, owner);
    return true;
  } catch (error) {
    const { cause, message } = error as Error;
    new Logger('Files').warn(
      `A directory could not be removed and stays for now: ${cause instanceof Error ? cause.message : message}`,
    );
    return false;
  }
}

/** @returns what rm complained about, the beginning of it: there may be as many complaints as files */
async function removeOnce(dir: string, owner: SubordinateOwner | undefined): Promise<string> {
  let words = '';
  const onStdout = asText((text) => void (words = (words + text).slice(0, keptWords)));
  const program = ['sh', '-c', 'exec rm -rf --one-file-system -- "$1" 2>&1', 'sh', dir] as const;
  const [name, ...args] = program;
  const options: RunOptions = { deadlineMs: withinMs, okCodes: [0, 1], onStdout };
  if (owner) await runInNamespaces(name, args, { ...options, account: owner.account });
  if (owner && !owner.account) return words;
  words = '';
  await runProgram(name, args, options);
  return words;
}

/**
 * What directories take on the disk, by du(1), which no depth and no name deceives, off our event loop. One that is not there takes nothing.
 * @returns bytes, in the order of the directories
 */
export async function diskUsage(
  dirs: readonly string[],
  owner?: SubordinateOwner,
  signal?: AbortSignal,
): Promise<number[]> {
  if (dirs.length === 0) return [];
  const args = ['-c', 'exec du --summarize --block-size=1 --one-file-system --null --files0-from=- 2>/dev/null', 'sh'];
  const options = {
    deadlineMs: withinMs,
    okCodes: [0, 1],
    outputCapBytes: 64 << 20,
    input: dirs.map((dir) => `${dir}\0`).join(''),
    ...(signal && { signal }),
  };
  const { stdout } = owner
    ? await runInNamespaces('sh', args, { ...options, account: owner.account })
    : await runProgram('sh', args, options);
  const bytes = new Map(
    stdout
      .split('\0')
      .map((line) => line.split('\t') as [string, string])
      .map(([count, dir]) => [dir, Number(count)]),
  );
  return dirs.map((dir) => bytes.get(dir) ?? 0);
}
