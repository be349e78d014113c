import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { QemuProcess } from './qemu-process.js';

const dir = mkdtempSync(path.join(tmpdir(), 'of-words-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What is told of one that said this on its standard error and ended so. */
async function wordsOf(said: string[], code: number | null, signal: string | null = null): Promise<string> {
  const log = path.join(dir, 'log');
  writeFileSync(log, said.map((line) => `qemu-system-x86_64: ${line}\n`).join(''));
  const child = new EventEmitter();
  const qemu = QemuProcess.ofChild(child as ChildProcess, openSync(log, 'r'));
  child.emit('exit', code, signal);
  await qemu.closed;
  return qemu.lastWords();
}
const warning = 'warning: hub 0 is not connected to host network';

describe('why a QEMU ended', () => {
  it('is what it said last, and no warning of its start', async () => {
    expect(await wordsOf([warning, 'No space left on device', warning], 1)).toBe(
      'qemu-system-x86_64: No space left on device',
    );
    expect(await wordsOf([warning], 3)).toBe('it ended with code 3');
  });

  it('is who killed it, where it could say nothing: bwrap gives a signal as 128 and its number', async () => {
    expect(await wordsOf([warning], null, 'SIGKILL')).toBe('it was killed (SIGKILL)');
    expect(await wordsOf([warning], 137)).toBe('it was killed (SIGKILL)');
  });
});
