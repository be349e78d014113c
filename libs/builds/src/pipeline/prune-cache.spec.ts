import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { measureCache, pruneCache, type CacheDirs } from './prune-cache.js';

const kib = 1024;
let root: string;
let dirs: CacheDirs;

const entry = async (stage: string, key: string, bytes: number, usedAt: number) => {
  const dir = path.join(dirs.cacheDir, stage, key);
  await mkdir(dir, { recursive: true });
  await writeFile(path.join(dir, 'data'), Buffer.alloc(bytes, 1));
  await writeFile(path.join(dir, 'complete'), '');
  await utimes(path.join(dir, 'complete'), usedAt, usedAt);
};

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'of-prune-'));
  dirs = { cacheDir: path.join(root, 'cache'), poolDir: path.join(root, 'pool') };
  await entry('base', 'old', 100 * kib, 1_000);
  await entry('base', 'new', 100 * kib, 3_000);
  await mkdir(path.join(dirs.poolDir, 'aa'), { recursive: true });
  await writeFile(path.join(dirs.poolDir, 'aa/package.deb'), Buffer.alloc(100 * kib, 1));
  await utimes(path.join(dirs.poolDir, 'aa/package.deb'), 2_000, 2_000);
});
afterEach(() => rm(root, { recursive: true }));

/** An entry is a directory too. */
const directory = 4 * kib;

it('keeps everything that fits', async () => {
  expect(await measureCache(dirs)).toEqual({ entries: 3, bytes: 300 * kib + 2 * directory });
  expect(await pruneCache(dirs, 300 * kib + 2 * directory)).toEqual({ entries: 0, bytes: 0 });
});

it('lets what was used least recently go first, stage results and packages alike', async () => {
  expect(await pruneCache(dirs, 250 * kib)).toEqual({ entries: 1, bytes: 100 * kib + directory });
  expect(await readdir(path.join(dirs.cacheDir, 'base'))).toEqual(['new']);
  await pruneCache(dirs, 100 * kib + directory);
  expect(await readdir(path.join(dirs.poolDir, 'aa'))).toEqual([]);
  expect(await readdir(path.join(dirs.cacheDir, 'base'))).toEqual(['new']);
});

it('counts what is half-made, or could not be removed, among what there is', async () => {
  await mkdir(path.join(dirs.cacheDir, 'base', 'x.partial-1'));
  await writeFile(path.join(dirs.cacheDir, 'base', 'x.partial-1', 'data'), Buffer.alloc(100 * kib, 1));
  expect(await pruneCache(dirs, 300 * kib + 2 * directory)).toMatchObject({ entries: 1 });
  expect(await readdir(path.join(dirs.cacheDir, 'base'))).toEqual(['new', 'x.partial-1']);
});

it('leaves what is half-made to whoever makes it, and minds no missing directory', async () => {
  await mkdir(path.join(dirs.cacheDir, 'base', 'x.partial-1'));
  await pruneCache(dirs, 0);
  expect(await readdir(path.join(dirs.cacheDir, 'base'))).toEqual(['x.partial-1']);
  expect(await measureCache({ cacheDir: path.join(root, 'no'), poolDir: path.join(root, 'no') })).toEqual({
    entries: 0,
    bytes: 0,
  });
});
