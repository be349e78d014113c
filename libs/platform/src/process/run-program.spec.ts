import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { askProgram, isLate, runProgram, spawnProgram, ProgramError, killGroup } from './run-program.js';

const shell = (script: string, options = {}) =>
  runProgram('/bin/sh', ['-c', script], { deadlineMs: 10_000, ...options });
const alive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
/** What was killed may take its new parent a moment to fetch. */
const untilGone = async (pid: number) => {
  for (let tries = 0; tries < 1_000 && alive(pid); tries++) await new Promise((resolve) => setTimeout(resolve, 25));
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
    await expect(shell('echo boom >&2; exit 3')).rejects.toMatchObject({
      why: 'exit',
      message: '/bin/sh failed (exit code 3): boom',
    });
    await expect(runProgram('no-such-program-here', [], { deadlineMs: 5_000 })).rejects.toThrow(ProgramError);
  });

  it('kills the whole group at the deadline, grandchildren included', async () => {
    const seen: string[] = [];
    const running = shell('sleep 300 & echo $!; wait', {
      deadlineMs: 1_500,
      onStdout: (chunk: Buffer) => void seen.push(String(chunk)),
    });
    await expect(running).rejects.toMatchObject({ why: 'deadline' });
    const grandchild = Number(seen.join(''));
    expect(grandchild).toBeGreaterThan(1);
    await untilGone(grandchild);
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

  it('hands contents on behind descriptors, also to a program that does not look at them', async () => {
    const handed = [Buffer.from('three'), Buffer.alloc(1_000_000, 'x')];
    expect((await shell('cat <&3; wc -c <&4', { handed })).stdout).toBe('three1000000\n');
    expect((await shell('exit 0', { handed })).code).toBe(0);
  });

  it('gives input to a program that ignores it without breaking', async () => {
    expect((await shell('exit 0', { input: 'x'.repeat(1_000_000) })).code).toBe(0);
  });
});

describe('askProgram', () => {
  it('asks again where the answer was late, and only there', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-ask-'));
    const asked = (script: string, deadlineMs: number) =>
      askProgram('/bin/sh', ['-c', `echo >> ${dir}/asked; [ $(wc -l < ${dir}/asked) -gt 1 ] || ${script}`], {
        deadlineMs,
      });
    try {
      await expect(asked('exit 3', 10_000)).rejects.toMatchObject({ why: 'exit' });
      expect(readFileSync(`${dir}/asked`, 'utf8')).toBe('\n');
      await rm(`${dir}/asked`);
      expect(await asked('exec sleep 300', 1_000)).toMatchObject({ code: 0 });
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('knows a late program by what followed from it', () => {
    const late = new ProgramError('id', 'deadline', 'did not end');
    expect(
      [late, new Error('no account', { cause: late }), new ProgramError('id', 'exit', 'failed'), 'late'].map(isLate),
    ).toEqual([true, true, false, false]);
  });
});

describe('spawnProgram', () => {
  it('hands on descriptors, and what is written to a new one', async () => {
    const file = openSync('/proc/self/comm', 'r');
    const child = spawnProgram('/bin/sh', ['-c', 'echo to the pipe >&3; cat <&4'], { inherit: ['pipe', file] });
    closeSync(file);
    const [pipe, words] = await Promise.all([text(child.stdio[3] as Readable), text(child.stdout!)]);
    expect(pipe).toBe('to the pipe\n');
    expect(words).not.toBe('');
  });

  it('lets no program live on that was not tied yet when the one that started it was killed', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-spawn-'));
    let child = 0;
    try {
      // Waits for the death of its parent before it ties itself.
      await writeFile(
        path.join(dir, 'setpriv'),
        `#!/bin/sh\nPATH=${process.env.PATH}\nwhile kill -0 "$PPID" 2> /dev/null; do sleep 0.02; done\nexec setpriv "$@"\n`,
        { mode: 0o755 },
      );
      const output = path.join(dir, 'output');
      child = await startAndDie(
        dir,
        `spawnProgram('/bin/sh', ['-c', 'echo lives; exec sleep 300'], { output: openSync('${output}', 'w') })`,
        { ...process.env, PATH: `${dir}:${process.env.PATH}` },
      );
      await untilGone(child);
      expect([alive(child), readFileSync(output, 'utf8')]).toEqual([false, '']);
    } finally {
      if (child && alive(child)) process.kill(-child, 'SIGKILL');
      await rm(dir, { recursive: true });
    }
  });

  it('lets a program live on, with its output in a file, when the one that started it is killed', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-spawn-'));
    const start = (survives: boolean) =>
      startAndDie(
        dir,
        `spawnProgram('/bin/sh', ['-c', 'while :; do echo on; sleep 0.05; done'], { survives: ${survives}, output: openSync('${dir}/out', 'w') })`,
      );
    const survivor = await start(true);
    const tied = await start(false);
    try {
      await untilGone(tied);
      expect(alive(tied)).toBe(false);
      expect(alive(survivor)).toBe(true);
    } finally {
      process.kill(-survivor, 'SIGKILL');
      await rm(dir, { recursive: true });
    }
  });
});

/** Another Node.js makes a child by this expression, and is killed. @returns the child's pid */
async function startAndDie(dir: string, expression: string, env = process.env): Promise<number> {
  const script = `import { openSync } from 'node:fs'; import { spawnProgram } from '${path.join(import.meta.dirname, 'run-program.ts')}';
    console.log(${expression}.pid); setInterval(() => undefined, 1000);`;
  await writeFile(path.join(dir, 'start.mjs'), script);
  const parent = spawn(
    process.execPath,
    [
      '--no-warnings',
      '--experimental-transform-types',
      '--import',
      `data:text/javascript,${encodeURIComponent(resolveTs)}`,
      path.join(dir, 'start.mjs'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env },
  );
  const pid = Number(String(await new Promise((resolve) => parent.stdout.once('data', resolve))));
  const ended = new Promise((resolve) => parent.once('exit', resolve));
  parent.kill('SIGKILL');
  await ended;
  return pid;
}

/** TypeScript calls its files .js in imports. */
const resolveTs = `import { registerHooks } from 'node:module'; registerHooks({ resolve: (name, context, next) => next(name.startsWith('.') && context.parentURL?.endsWith('.ts') ? name.replace(/\\.js$/, '.ts') : name, context) });`;

describe('killGroup', () => {
  it('is quiet about a child that is gone', async () => {
    const child = spawnProgram('true', []);
    await new Promise((resolve) => child.on('close', resolve));
    expect(() => killGroup(child)).not.toThrow();
  });
});
