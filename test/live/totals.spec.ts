import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { productRoot } from '#libs/platform';
import { until } from '../support/until.js';

type Row = { name: string; passed: number; failed: number };
const { runStaticChecks } = (await import(path.join(productRoot, 'scripts/test/checks.mjs'))) as {
  runStaticChecks: (names: string[], where: { root: string; signal: AbortSignal }) => Promise<Row[]>;
};

let dir: string;
beforeEach(async () => void (dir = await mkdtemp('/tmp/openfactory-totals-')));
afterEach(() => rm(dir, { recursive: true, force: true }));

/** `npm test -- unit` itself, with a project of its own that has these test files. */
async function testing(files: Record<string, string>) {
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(dir, `${name}.spec.cjs`), content);
  const config = path.join(dir, 'jest.config.json');
  await writeFile(
    config,
    JSON.stringify({
      cacheDirectory: path.join(dir, 'cache'),
      projects: [
        {
          displayName: 'unit',
          rootDir: dir,
          cacheDirectory: path.join(dir, 'cache'),
          testMatch: ['<rootDir>/*.spec.cjs'],
          transform: {},
        },
      ],
    }),
  );
  const child = spawn(process.execPath, [path.join(productRoot, 'scripts/test.mjs'), 'unit', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const ended = new Promise<{ code: number | null; last: string | undefined; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, last: output.trimEnd().split('\n').at(-1), output })),
  );
  return { child, ended, output: () => Promise.resolve(output) };
}
const sound = "it('is sound', () => undefined);";

describe('the last line of npm test', () => {
  it('counts what a worker of jest took with it when it died', async () => {
    const { ended } = await testing({
      sound,
      dead: "it('passes', () => undefined); it('dies', async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => undefined); }); it('comes later', () => undefined);",
    });
    expect(await ended).toMatchObject({ code: 1, last: '1 passed, 1 failed' });
  });

  it('counts a file that breaks when its tests are done', async () => {
    const { ended } = await testing({
      sound,
      broken: "it('is sound', () => undefined); afterAll(() => { throw new Error('broken'); });",
    });
    expect(await ended).toMatchObject({ code: 1, last: '2 passed, 1 failed' });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'is there after %s, and is no success; nothing of the run is left',
    async (signal) => {
      const { child, ended, output } = await testing({
        sound,
        endless:
          "it('does not end', async () => { process.stderr.write(`worker ${process.pid}.\\n`); await new Promise((resolve) => setTimeout(resolve, 600_000)); }, 600_000);",
      });
      const seen = await until(output, (text) => /worker \d+\./.test(text), 60_000);
      child.kill(signal);
      const { code, last, output: whole } = await ended;
      expect({ code, last }).toEqual({ code: 1, last: '0 passed, 2 failed' });
      expect(whole).toMatch(/^interrupted +0 +1/m);
      const worker = Number(/worker (\d+)\./.exec(seen)?.[1]);
      expect(
        await until(
          () => Promise.resolve(isAlive(worker)),
          (alive) => !alive,
        ),
      ).toBe(false);
    },
  );

  it('counts a static check that fails, and goes on with the next; none begins after an interruption', async () => {
    await writeFile(
      path.join(dir, 'package.json'),
      JSON.stringify({ scripts: { lint: 'echo a finding; exit 3', types: 'true' } }),
    );
    const tell = async (signal: AbortSignal) =>
      (await runStaticChecks(['lint', 'types'], { root: dir, signal })).map(({ name, passed, failed }) => [
        name,
        passed,
        failed,
      ]);
    expect(await tell(new AbortController().signal)).toEqual([
      ['lint', 0, 1],
      ['types', 1, 0],
    ]);
    expect(await tell(AbortSignal.abort())).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
