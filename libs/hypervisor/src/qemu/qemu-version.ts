import { stat } from 'node:fs/promises';
import path from 'node:path';
import { askProgram } from '#libs/platform';
import { qemuProgram, type TcgThreads } from './qemu-command.js';

let known: { of: string; version: string } | undefined;

/** Its own words. Asked again only where the program has changed: clones start in a fraction of a second. @throws ProgramError */
export async function qemuVersion(): Promise<string> {
  const { mtimeMs, ino } = await stat(path.join('/usr/bin', qemuProgram));
  const of = `${ino} ${mtimeMs}`;
  if (known?.of !== of)
    known = { of, version: (await askProgram(qemuProgram, ['--version'])).stdout.split('\n')[0] ?? '' };
  return known.version;
}

/**
 * One thread for all processors before QEMU 8.1, which locks a page of code before it translates it (its commit deba78709ae8): until then, while one
 * thread writes code, another may translate what was there half-written and keep it for ever. Linux writes code whenever it switches a static key: its
 * boot then stands still ("int3" again and again), or goes the wrong way.
 */
export function threadsOf(version: string): TcgThreads {
  const [, major = 0, minor = 0] = (/\bversion (\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  return major > 8 || (major === 8 && minor >= 1) ? 'multi' : 'single';
}
