import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '#libs/platform';

const root = path.resolve(import.meta.dirname, '../..');
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- plain JavaScript, which has to run before anything is installed
const script = async (name: string): Promise<any> => await import(path.join(root, 'scripts', name));

const host = await script('setup/host.mjs');
const packages = await script('setup/packages.mjs');
const dependencies = await script('setup/dependencies.mjs');
const build = await script('setup/build.mjs');
const accounts = await script('setup/accounts.mjs');
const { withLock } = await script('setup/lock.mjs');
const { setup } = await script('setup.mjs');
const { jestRows } = await script('test/jest-report.mjs');
const { select } = await script('test/selection.mjs');
const { summarise } = await script('test/summary.mjs');

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp('/tmp/openfactory-setup-test-');
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const write = async (name: string, content: string) => {
  await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
  await writeFile(path.join(dir, name), content);
  return path.join(dir, name);
};

describe('setup', () => {
  it('is quiet when nothing is to be done', async () => {
    const lines: string[] = [];
    await setup({ report: (line: string) => lines.push(line) }); // npm test has just run it; this one makes sure.
    lines.length = 0;
    await setup({ report: (line: string) => lines.push(line) });
    expect(lines).toEqual([]);
  }, 300_000);

  it('runs as a script of its own', async () => {
    const { stdout, stderr } = await runProgram(process.execPath, [path.join(root, 'scripts/setup.mjs')], {
      deadlineMs: 60_000,
    });
    expect(stdout + stderr).toBe('');
  }, 60_000);
});

describe('the host check', () => {
  const checkWith = async (osRelease: string, more = {}) =>
    host.checkHost({
      osReleaseFile: await write('os-release', osRelease),
      platform: 'linux',
      arch: 'x64',
      nodeVersion: '20.1.0',
      ...more,
    });

  it('accepts Debian 12 and 13 in silence and Ubuntu with a warning', async () => {
    expect(await checkWith('ID=debian\nVERSION_ID="12"\n')).toBeUndefined();
    expect(await checkWith('ID=debian\nVERSION_ID="13"\n')).toBeUndefined();
    expect(await checkWith('PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nVERSION_ID="24.04"\n')).toContain('best effort');
  });

  it.each([
    [
      'another distribution',
      'PRETTY_NAME="Fedora Linux 43"\nID=fedora\nVERSION_ID=43\n',
      {},
      'does not support Fedora Linux 43: use Debian 12 or 13',
    ],
    [
      'an old Debian',
      'PRETTY_NAME="Debian GNU/Linux 11"\nID=debian\nVERSION_ID="11"\n',
      {},
      'does not support Debian GNU/Linux 11: use Debian 12 or 13',
    ],
    ['no os-release', '', {}, 'does not support an unknown distribution'],
    ['an old Node', 'ID=debian\nVERSION_ID="12"\n', { nodeVersion: '18.20.0' }, 'needs Node.js 20 or newer'],
    ['another processor', 'ID=debian\nVERSION_ID="12"\n', { arch: 'riscv64' }, 'x64 and arm64'],
    ['another system', '', { platform: 'darwin' }, 'runs on Linux only'],
  ])('refuses %s in one sentence', async (_what, osRelease, more, sentence) => {
    await expect(checkWith(osRelease, more)).rejects.toThrow(sentence);
  });
});

describe('the packages', () => {
  it('come from one list with a reason each', async () => {
    const file = path.join(root, 'debian-packages.txt');
    const names = packages.readPackageList(file);
    expect(names).toEqual(expect.arrayContaining(['tar', 'zstd', 'uidmap', 'util-linux']));
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line && !line.startsWith('#'));
    for (const line of lines) expect(line).toMatch(/^[a-z0-9.+-]+( \[amd64\])? +# \S/);
  });

  it('leave out what another processor has', () => {
    const file = path.join(root, 'debian-packages.txt');
    expect(packages.readPackageList(file, 'amd64')).toContain('grub-pc-bin');
    expect(packages.readPackageList(file, 'arm64')).not.toContain('grub-pc-bin');
    expect(packages.readPackageList(file, 'arm64')).toContain('zstd');
  });

  it('count as missing when removed, half-installed or unknown', async () => {
    const output =
      'zstd\tinstalled\ntar\tconfig-files\nuidmap\thalf-configured\ndpkg-query: no packages found matching nothing\n';
    expect(
      await packages.missingPackages(['zstd', 'tar', 'uidmap', 'nothing'], () => Promise.resolve({ output })),
    ).toEqual(['tar', 'uidmap', 'nothing']);
    expect(await packages.missingPackages(['dpkg', 'openfactory-no-such-package'])).toEqual([
      'openfactory-no-such-package',
    ]);
  });

  it('are the product’s, and those of the tests only where they are wanted', async () => {
    const packageList = await write('debian-packages.txt', 'openfactory-no-such-package\n');
    const testPackageList = await write('test/debian-packages.txt', 'openfactory-no-such-test\n');
    expect(await packages.packagesStep.pending({ packageList })).toMatch(/: openfactory-no-such-package$/);
    expect(await packages.packagesStep.pending({ packageList, testPackageList })).toMatch(
      /: openfactory-no-such-package, openfactory-no-such-test$/,
    );
  });

  it('are installed by root, by sudo, or by an administrator who is told the command', async () => {
    const works = () => Promise.resolve({ code: 0 });
    const asksPassword = () => Promise.resolve({ code: 1 });
    expect(await packages.asRoot('apt-get install zstd', { uid: 0 })).toEqual([]);
    expect(await packages.asRoot('apt-get install zstd', { uid: 1000, sudo: '/usr/bin/sudo', test: works })).toEqual([
      'sudo',
      '-n',
    ]);
    expect(
      await packages.asRoot('apt-get install zstd', {
        uid: 1000,
        sudo: '/usr/bin/sudo',
        test: asksPassword,
        terminal: true,
      }),
    ).toEqual(['sudo']);
    for (const without of [
      { sudo: '/usr/bin/sudo', test: asksPassword, terminal: false },
      { sudo: '', terminal: true },
    ]) {
      await expect(packages.asRoot('apt-get install zstd', { uid: 1000, ...without })).rejects.toThrow(
        'ask an administrator to run "apt-get install zstd"',
      );
    }
  });

  it('tell a dead network from a full disk from anything else', () => {
    expect(packages.aptProblem("E: Could not resolve 'mirror'", 'x')).toContain('cannot reach the package mirror');
    expect(packages.aptProblem('write: No space left on device', 'x')).toContain('disk is full');
    expect(packages.aptProblem('a\nb\nE: broken\nE: held', 'apt-get install y')).toMatch(
      /run "apt-get install y".*\(b \| E: broken \| E: held\)/,
    );
  });
});

describe('the npm packages', () => {
  const lock = JSON.stringify({
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0', integrity: 'x' },
      'node_modules/other-platform': { version: '1.0.0', optional: true },
    },
  });
  const tree = (version: string) => JSON.stringify({ packages: { 'node_modules/a': { version, integrity: 'x' } } });

  it('are redone without a stamp or npm’s own record, and for another lock', async () => {
    await write('package-lock.json', lock);
    await write(`node_modules/node-linux-${process.arch}/bin/node`, '');
    expect(dependencies.isInstalled(dir)).toBe(false); // npm ci was killed before it ended
    await write('node_modules/.package-lock.json', tree('1.0.0'));
    expect(dependencies.isInstalled(dir)).toBe(true); // somebody ran npm ci by hand
    await write('node_modules/.package-lock.json', tree('0.9.0'));
    expect(dependencies.isInstalled(dir)).toBe(false);
    await write('node_modules/.openfactory-setup', 'sha256 of another lock');
    expect(dependencies.isInstalled(dir)).toBe(false);
  });

  it('need room on the disk', () => {
    expect(() => dependencies.requireSpace('/srv', { bavail: 100, bsize: 4096 })).toThrow(
      'The disk of /srv has 0.0 GB free',
    );
    expect(() => dependencies.requireSpace('/srv', { bavail: 1e9, bsize: 4096 })).not.toThrow();
  });

  it('say what failed', () => {
    expect(dependencies.npmProblem('npm error code EAI_AGAIN\nnpm error request failed')).toContain(
      'cannot reach its registry',
    );
    expect(dependencies.npmProblem('npm error code ENOSPC')).toContain('disk is full');
    expect(dependencies.npmProblem('npm warn old\nnpm error nonsense\nnpm error A complete log of this run')).toContain(
      '(npm error nonsense)',
    );
  });
});

describe('the build', () => {
  it('is redone when a source changes, appears or is renamed, not when a test does', async () => {
    await write('libs/a/src/a.ts', 'one');
    const hash = () => build.hashSources(dir);
    const seen = new Set([hash()]);
    await write('libs/a/src/a.spec.ts', 'a test');
    expect(seen.has(hash())).toBe(true);
    for (const [name, content] of [
      ['libs/a/src/a.ts', 'two'],
      ['libs/a/src/b.ts', ''],
      ['libs/a/data/base.json', '{}'],
      ['.swcrc', '{}'],
    ] as const) {
      await write(name, content);
      expect(seen.has(hash())).toBe(false);
      seen.add(hash());
    }
  });

  it('is not done before its stamp is written', async () => {
    await write('libs/a/src/a.ts', 'one');
    await write('dist/libs/a/src/a.js', 'one');
    expect(build.isBuilt(dir)).toBe(false);
    await write('dist/.openfactory-build', build.hashSources(dir));
    expect(build.isBuilt(dir)).toBe(true);
  });

  it('notices a change quickly', () => {
    build.hashSources(root);
    const began = performance.now();
    build.hashSources(root);
    expect(performance.now() - began).toBeLessThan(150);
  });
});

describe('subordinate ids', () => {
  it('never overlap those that are given out', () => {
    const ranges = accounts.parseRanges('ada:100000:65536\nbob:231072:65536\n# nonsense\n');
    expect(ranges).toHaveLength(2);
    expect(accounts.freeRange(ranges)).toBe(165_536);
    expect(accounts.freeRange([])).toBe(100_000);
    expect(
      accounts.freeRange([
        { first: 131_072, count: 10 },
        { first: 90_000, count: 10_001 },
      ]),
    ).toBe(131_082);
  });
});

describe('two setups at once', () => {
  it('wait for each other', async () => {
    const events: string[] = [];
    const run = (name: string) =>
      withLock(
        dir,
        (line: string) => events.push(line),
        async () => {
          events.push(`${name} begins`);
          await new Promise((resolve) => setTimeout(resolve, 100));
          events.push(`${name} ends`);
        },
      );
    await Promise.all([run('first'), run('second')]);
    expect(events).toEqual([
      'first begins',
      expect.stringContaining('Waiting for another setup'),
      'first ends',
      'second begins',
      'second ends',
    ]);
  });

  it('do not wait for one that was killed', async () => {
    await write('.setup/lock', `${process.pid} 1`); // The id is in use again, by a process that began at another time.
    const order: string[] = [];
    const lines: string[] = [];
    await withLock(
      dir,
      (line: string) => lines.push(line),
      async () => void (await Promise.resolve(order.push('ran'))),
    );
    expect(order).toEqual(['ran']);
    expect(lines).toEqual([]);
    await expect(readFile(path.join(dir, '.setup/lock'))).rejects.toThrow('ENOENT');
  });
});

describe('the totals of npm test', () => {
  const file = (name: string, status: string, tests: string[]) => ({
    name: `/of/${name}`,
    status,
    startTime: 0,
    endTime: 1500,
    assertionResults: tests.map((test, index) => ({ status: test, fullName: `does ${index}` })),
  });

  it('count tests one by one, by tier, and name the skipped ones', () => {
    const rows = jestRows(
      {
        testResults: [
          file('libs/a/src/a.spec.ts', 'passed', ['passed', 'passed', 'pending', 'todo']),
          file('test/e2e/b.spec.ts', 'failed', ['passed', 'failed']),
          file('libs/a/src/a.medium.spec.ts', 'passed', ['passed']),
        ],
      },
      1,
      '/of',
    );
    expect(rows.map(({ name, passed, failed }: Record<string, unknown>) => [name, passed, failed])).toEqual([
      ['unit', 2, 0],
      ['medium', 1, 0],
      ['e2e', 1, 1],
    ]);
    const { text } = summarise(rows);
    expect(text).toContain('libs/a/src/a.spec.ts: does 2');
    expect(text.split('\n').at(-1)).toBe('4 passed, 1 failed, 2 skipped');
  });

  it('count a file that does not load, a jest that breaks, and a run without tests as failures', () => {
    const failed = (rows: { failed: number }[]) => rows.reduce((sum, row) => sum + row.failed, 0);
    expect(failed(jestRows({ testResults: [file('libs/a/src/a.spec.ts', 'failed', [])] }, 1, '/of'))).toBe(1);
    expect(failed(jestRows({ testResults: [file('libs/a/src/a.spec.ts', 'passed', ['passed'])] }, 1, '/of'))).toBe(1);
    expect(failed(jestRows(undefined, 1, '/of'))).toBe(1);
    expect(failed(jestRows({ testResults: [] }, 0, '/of'))).toBe(1);
    expect(failed(jestRows({ testResults: [file('libs/a/src/a.spec.ts', 'passed', ['pending'])] }, 0, '/of'))).toBe(1);
  });

  it('end with passed and failed alone where nothing was skipped', () => {
    expect(
      summarise([{ name: 'lint', passed: 1, failed: 0, skipped: [], seconds: 1 }])
        .text.split('\n')
        .at(-1),
    ).toBe('1 passed, 0 failed');
  });

  it('cover what the arguments choose', () => {
    expect(select([])).toEqual({ checks: ['lint', 'format', 'types', 'deps'], jest: [] });
    expect(select(['unit', 'e2e', '-t', 'x'])).toEqual({
      checks: [],
      jest: ['-t', 'x', '--selectProjects', 'unit', 'e2e'],
    });
    expect(select(['lint'])).toEqual({ checks: ['lint'], jest: undefined });
    expect(select(['--selectProjects', 'unit'])).toEqual({
      checks: ['lint', 'format', 'types', 'deps'],
      jest: ['--selectProjects', 'unit'],
    });
  });
});

describe('programs of the set-up', () => {
  it('end with what they leave behind, which would hold their output for ever', async () => {
    const { run } = await script('setup/programs.mjs');
    const { code, output } = await run('sh', ['-c', 'sleep 600 & echo $!; exit 3'], { whole: true });
    expect(code).toBe(3);
    // Gone, or dead and not yet fetched by its new parent.
    expect(await readFile(`/proc/${Number(output)}/stat`, 'utf8').catch(() => ') Z')).toMatch(/\) [ZX]/);
  });
});
