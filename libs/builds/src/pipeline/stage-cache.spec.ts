import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StageCache } from './stage-cache.js';

let dir: string;
let cache: StageCache;
const never = new AbortController().signal;
const write = (text: string) => (outDir: string) => writeFile(path.join(outDir, 'file'), text);

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'of-stage-cache-'));
  cache = new StageCache(dir);
});
afterEach(() => rm(dir, { recursive: true }));

describe('StageCache', () => {
  it('makes an entry once per inputs, whatever the order of their keys', async () => {
    const first = await cache.obtain('base', 1, { a: 1, b: 2 }, write('x'), never);
    const again = await cache.obtain('base', 1, { b: 2, a: 1 }, () => Promise.reject(new Error('made twice')), never);
    expect([first.hit, again.hit, again.dir]).toEqual([false, true, first.dir]);
    expect(await readFile(path.join(again.dir, 'file'), 'utf8')).toBe('x');
  });

  it('tells stages, versions and inputs apart', () => {
    const keys = [
      cache.keyOf('a', 1, {}),
      cache.keyOf('b', 1, {}),
      cache.keyOf('a', 2, {}),
      cache.keyOf('a', 1, ['a b']),
      cache.keyOf('a', 1, ['a', 'b']),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('leaves nothing of an entry that failed', async () => {
    const failing = async (outDir: string) => {
      await write('half')(outDir);
      throw new Error('boom');
    };
    await expect(cache.obtain('base', 1, {}, failing, never)).rejects.toThrow('boom');
    expect(await readdir(path.join(dir, 'base'))).toEqual([]);
    expect((await cache.obtain('base', 1, {}, write('x'), never)).hit).toBe(false);
  });

  it('makes it once for two builds at the same time, and lets the second try where the first failed', async () => {
    let made = 0;
    const slow = async (outDir: string) => {
      made++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (made === 1) throw new Error('the first fails');
      await write('x')(outDir);
    };
    const [first, second] = await Promise.allSettled([
      cache.obtain('base', 1, {}, slow, never),
      cache.obtain('base', 1, {}, slow, never),
    ]);
    expect([first.status, second.status, made]).toEqual(['rejected', 'fulfilled', 2]);
    const [third, fourth] = await Promise.all([
      cache.obtain('b', 1, {}, slow, never),
      cache.obtain('b', 1, {}, slow, never),
    ]);
    expect([third.hit, fourth.hit, made]).toEqual([false, true, 3]);
  });

  it('knows what a killed process left half-made, and nothing else', async () => {
    await cache.obtain('base', 1, {}, write('x'), never);
    const half = path.join(dir, 'base', `${'0'.repeat(64)}.partial-abc`);
    await mkdir(half);
    await writeFile(path.join(dir, 'stray'), '');
    expect(await cache.partials()).toEqual([half]);
  });

  it('starts nothing for a build that is cancelled', async () => {
    await expect(cache.obtain('base', 1, {}, write('x'), AbortSignal.abort(new Error('cancelled')))).rejects.toThrow(
      'cancelled',
    );
  });
});
