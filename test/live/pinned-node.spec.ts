import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '#libs/platform';

const root = path.resolve(import.meta.dirname, '../..');
const minutes = 60_000;
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- plain JavaScript, which has to run before anything is installed
const script = async (name: string): Promise<any> => await import(path.join(root, 'scripts', name));
const { dependenciesStep, isInstalled } = await script('setup/dependencies.mjs');
const { pinnedNode } = await script('setup/pinned-node.mjs');

/**
 * Whatever npm makes of the packages that hold Node. Only those two are installed, by the lock's own entries: what npm does with their programs hangs on
 * them alone, for no other package of the lock has a program `node`; the other 880 would cost minutes and prove nothing more.
 */
describe.each(['9.2.0', 'latest'])('the pinned Node, installed by npm %s', (version) => {
  let dir: string;
  let npmDir: string;
  const { PATH } = process.env;

  beforeAll(async () => {
    dir = await mkdtemp('/tmp/openfactory-npm-test-');
    npmDir = path.join(dir, 'npm');
    await mkdir(npmDir);
    await runProgram(
      'npm',
      ['install', '--prefix', npmDir, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', `npm@${version}`],
      { deadlineMs: 4 * minutes, env: process.env as Record<string, string> },
    );
    await mkdir(path.join(npmDir, 'bin'));
    const command = path.join(npmDir, 'bin/npm');
    await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${npmDir}/node_modules/npm/bin/npm-cli.js "$@"\n`, {
      mode: 0o755,
    });

    const {
      name,
      version: own,
      optionalDependencies,
    } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      optionalDependencies: Record<string, string>;
    };
    const nodes = Object.fromEntries(
      Object.entries(optionalDependencies).filter(([dependency]) => dependency.startsWith('node-linux-')),
    );
    expect(Object.keys(nodes)).toHaveLength(2);
    const { packages, ...lock } = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, object>;
    };
    const manifest = { name, version: own, optionalDependencies: nodes };
    await writeFile(path.join(dir, 'package.json'), JSON.stringify({ ...manifest, type: 'module' }));
    const locked = Object.fromEntries(
      Object.keys(nodes).map((dependency) => [`node_modules/${dependency}`, packages[`node_modules/${dependency}`]]),
    );
    await writeFile(
      path.join(dir, 'package-lock.json'),
      JSON.stringify({ ...lock, packages: { '': manifest, ...locked } }),
    );
    for (const copied of ['.npmrc', 'scripts', 'bin'])
      await cp(path.join(root, copied), path.join(dir, copied), { recursive: true });
    process.env.PATH = `${path.dirname(command)}:${PATH}`;
    expect((await runProgram('npm', ['--version'], { deadlineMs: minutes })).stdout).toMatch(
      version === 'latest' ? /^\d/ : version,
    );
  }, 5 * minutes);
  afterAll(async () => {
    process.env.PATH = PATH;
    await rm(dir, { recursive: true, force: true });
  });

  it(
    'is found, and is what every script runs on',
    async () => {
      expect(isInstalled(dir)).toBe(false);
      await dependenciesStep.perform({ root: dir });
      expect(isInstalled(dir)).toBe(true);
      const pinned = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')).optionalDependencies[
        `node-linux-${process.arch}`
      ];
      const printed = async (program: string, ...args: string[]) =>
        (await runProgram(program, args, { deadlineMs: minutes })).stdout.trim();
      expect(await printed(pinnedNode(dir), '--version')).toBe(`v${pinned}`);
      expect(await printed(process.execPath, path.join(dir, 'scripts/pinned.mjs'), '--print', 'process.execPath')).toBe(
        pinnedNode(dir),
      );
      // What a script of ours starts as "node", as nest and jest do, is that one as well.
      const nested = "console.log(require('child_process').execFileSync('node', ['--version'], { encoding: 'utf8' }))";
      expect(await printed(process.execPath, path.join(dir, 'scripts/pinned.mjs'), '--eval', nested)).toBe(
        `v${pinned}`,
      );
    },
    5 * minutes,
  );

  it(
    'needs none of the links that npm makes, which this one may not',
    async () => {
      await rm(path.join(dir, 'node_modules/.bin'), { recursive: true, force: true });
      expect(isInstalled(dir)).toBe(true);
      await symlink(path.join(root, 'node_modules/typescript'), path.join(dir, 'node_modules/typescript'));
      const { stdout } = await runProgram(
        process.execPath,
        [path.join(dir, 'scripts/pinned.mjs'), path.join(dir, 'node_modules/typescript/bin/tsc'), '--version'],
        { deadlineMs: minutes },
      );
      expect(stdout).toMatch(/^Version \d/);
    },
    minutes,
  );
});
