import { afterEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { runProgram, spawnProgram, ProgramError, killGroup } from './run-program.js';

const shell = (script: string, options = {}) => runProgram('/bin/sh', ['-c', script], { deadlineMs: 10_000, ...options });
const alive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('runProgram', () => {
  const pids: number[] = [];
  afterEach(() => pids.splice(0).forEach((pid) => alive(pid) && process.kill(pid, 'SIGKILL')));

  it('gives code and output', async () => {
    expect(await shell('echo out; echo err >&2')).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  it('passes arguments as they are, never through a shell', async () => {
    const { stdout } = await runProgram('printf', ['%s|', '$(id)', '; reboot', '*'], { deadlineMs: 5_000 });
    expect(stdout).toBe('$(id)|; reboot|*|');
  });

  it('does not hand the factory’s environment on', async () => {
    process.env.OPENFACTORY_TEST_SECRET = 'hidden';
    try {
      expect((await runProgram('env', [], { deadlineMs: 5_000 })).stdout).not.toContain('hidden');
    } finally {
      delete process.env.OPENFACTORY_TEST_SECRET;
    }
  });

  it('tells exit codes, missing programs and last words', async () => {
    await expect(shell('echo boom >&2; exit 3')).rejects.toMatchObject({ why: 'exit', message: '/bin/sh failed (exit code 3): boom' });
    await expect(runProgram('no-such-program-here', [], { deadlineMs: 5_000 })).rejects.toThrow(ProgramError);
  });

  it('kills the whole group at the deadline, grandchildren included', async () => {
    const seen: string[] = [];
    const running = shell('sleep 300 & echo $!; wait', { deadlineMs: 300, onStdout: (chunk: Buffer) => void seen.push(String(chunk)) });
    await expect(running).rejects.toMatchObject({ why: 'deadline' });
    const grandchild = Number(seen.join(''));
    expect(grandchild).toBeGreaterThan(1);
    expect(alive(grandchild)).toBe(false);
  });

  it('stops a program that floods its output', async () => {
    await expect(shell('yes', { outputCapBytes: 10_000 })).rejects.toMatchObject({ why: 'output' });
  });

  it('stops at an abort, also one that came first', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await expect(shell('sleep 60', { signal: controller.signal })).rejects.toMatchObject({ why: 'aborted' });
    await expect(shell('true', { signal: controller.signal })).rejects.toMatchObject({ why: 'aborted' });
  });

  it('gives input to a program that ignores it without breaking', async () => {
    expect((await shell('exit 0', { input: 'x'.repeat(1_000_000) })).code).toBe(0);
  });
});

describe('killGroup', () => {
  it('is quiet about a child that is gone', async () => {
    const child = spawnProgram('true', []);
    await new Promise((resolve) => child.on('close', resolve));
    expect(() => killGroup(child)).not.toThrow();
  });
});
