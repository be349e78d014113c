import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { transformFile } from '@swc/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { productRoot } from '#libs/platform';
import { lock } from '../support/images/kernel-lock.js';
import { ImageCache, imageCacheFor, usualBounds } from '../support/images/image-cache.js';
import { until } from '../support/until.js';

const unbounded = { ...usualBounds, freeBytes: 0 };
const hour = 60 * 60_000;
let root: string;
let dir: string;
let children: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp('/tmp/openfactory-cache-');
  dir = path.join(root, 'cache');
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

const names = async () => (await readdir(dir)).sort();
const file = (content: string) => async (place: string) => await writeFile(path.join(place, 'content'), content);
const put = async (cache: ImageCache, key: string, content = key) =>
  await (await cache.obtain(key, file(content))).release();
const content = async (key: string) => await readFile(path.join(dir, key, 'content'), 'utf8');
/** Last used so long ago. */
const age = async (name: string, ms: number) =>
  await utimes(path.join(dir, name), new Date(Date.now() - ms), new Date(Date.now() - ms));

/** Another process that wants the entry `key`: makes it in `takesMs`, says so, and ends. */
async function another(
  takesMs: number,
): Promise<{ child: ChildProcess; said: () => Promise<string>; ended: Promise<unknown> }> {
  const code = path.join(root, 'code');
  await mkdir(code, { recursive: true });
  await writeFile(path.join(code, 'package.json'), '{"type":"module"}');
  for (const name of ['image-cache', 'kernel-lock'])
    await writeFile(
      path.join(code, `${name}.js`),
      (
        await transformFile(path.join(productRoot, `test/support/images/${name}.ts`), {
          swcrc: false,
          jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        })
      ).code,
    );
  await writeFile(
    path.join(code, 'maker.js'),
    `
    import { writeFile } from 'node:fs/promises';
    import { ImageCache } from './image-cache.js';
    const [, , dir, takesMs] = process.argv;
    const held = await new ImageCache(dir, { bytes: 2 ** 40, unusedMs: 2 ** 40, freeBytes: 0 }).obtain('key', async (place) => {
      await writeFile(place + '/content', 'half');
      console.log('making');
      await new Promise((resolve) => setTimeout(resolve, Number(takesMs)));
      await writeFile(place + '/content', 'whole');
    });
    console.log('has it');
    await held.release();`,
  );
  const child = spawn(process.execPath, [path.join(code, 'maker.js'), dir, String(takesMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  return { child, said: () => Promise.resolve(said), ended: once(child, 'close') };
}

describe('a cache', () => {
  it('has an entry made once, however many processes want it at once; it is found from then on', async () => {
    const all = await Promise.all([another(500), another(500), another(500)]);
    await Promise.all(all.map(({ ended }) => ended));
    const said = await Promise.all(all.map((one) => one.said()));
    expect(said.filter((words) => words.includes('making'))).toHaveLength(1);
    expect(said.filter((words) => words.includes('has it'))).toHaveLength(3);
    expect([await names(), await content('key')]).toEqual([['key'], 'whole']);
    await (await new ImageCache(dir, unbounded).obtain('key', () => Promise.reject(new Error('made again')))).release();
  });

  it('never gives what a killed maker left half-made: whoever waited makes it, and the half goes', async () => {
    const killed = await another(600_000);
    await until(killed.said, (words) => words.includes('making'));
    const cache = new ImageCache(dir, unbounded);
    const waiting = put(cache, 'key', 'by another');
    killed.child.kill('SIGKILL');
    await waiting;
    expect(await content('key')).toBe('by another');
    const left = (await names()).filter((name) => name !== 'key');
    expect(left).toEqual([expect.stringMatching(/^key\.scratch-/)]);
    // What was made just now may be about to be locked.
    await cache.prune();
    expect(await names()).toHaveLength(2);
    await age(left[0]!, hour);
    await cache.prune();
    expect(await names()).toEqual(['key']);
  });

  it('keeps nothing of a maker that failed, and lets the next one try', async () => {
    const cache = new ImageCache(dir, unbounded);
    await expect(
      cache.obtain('key', async (place) => {
        await file('half')(place);
        throw new Error('no luck');
      }),
    ).rejects.toThrow('no luck');
    expect(await names()).toEqual([]);
    await put(cache, 'key');
    expect(await content('key')).toBe('key');
  });

  it('has an entry made anew that lost what makes it one', async () => {
    await mkdir(path.join(dir, 'key'), { recursive: true });
    await writeFile(path.join(dir, 'key/content'), 'of nobody');
    await put(new ImageCache(dir, unbounded), 'key', 'whole');
    expect([await names(), await content('key')]).toEqual([['key'], 'whole']);
  });

  it('removes the marks of makers that are gone, and of no others', async () => {
    const cache = new ImageCache(dir, unbounded);
    await put(cache, 'key');
    for (const name of ['gone.making', 'there.making']) await writeFile(path.join(dir, name), '');
    const maker = await lock(path.join(dir, 'there.making'), 'exclusive', { wait: false });
    await cache.prune();
    expect(await names()).toEqual(['key', 'there.making']);
    await maker!.release();
    await cache.prune();
    expect(await names()).toEqual(['key']);
  });

  it('removes what is unused for long, and of what is too much that which was used least recently; nothing that is in use', async () => {
    const size = 2 ** 20;
    const cache = new ImageCache(dir, { bytes: 3.5 * size, unusedMs: 24 * hour, freeBytes: 0 });
    const big = file('x'.repeat(size));
    const held = await cache.obtain('held', big);
    for (const key of ['first', 'second', 'third']) await (await cache.obtain(key, big)).release();
    // Of four one is too much. The oldest is in use.
    expect(await names()).toEqual(['held', 'second', 'third']);
    await (await cache.obtain('second', big)).release();
    await age('third', hour);
    await age('held', 2 * hour);
    await (await cache.obtain('fourth', big)).release();
    expect(await names()).toEqual(['fourth', 'held', 'second']);
    await age('second', 25 * hour);
    await age('held', 25 * hour);
    await cache.prune();
    expect(await names()).toEqual(['fourth', 'held']);
    await held.release();
    await cache.prune();
    expect(await names()).toEqual(['fourth']);
  });

  it('makes room where the disk has too little, as far as it goes', async () => {
    await put(new ImageCache(dir, unbounded), 'key');
    const full = new ImageCache(dir, { ...usualBounds, freeBytes: 2 ** 60 });
    expect(await full.problem('key')).toBeUndefined();
    expect(await full.problem('another')).toMatch(/has room for \d+ MiB only$/);
    expect(await names()).toEqual([]);
  });
});

describe('where the cache of all runs cannot be used', () => {
  it('the run has one of its own, and says why', async () => {
    const words: string[] = [];
    const own = path.join(root, 'own');
    await writeFile(path.join(root, 'file'), '');
    const cache = await imageCacheFor('key', (line) => words.push(line), {
      shared: path.join(root, 'file/cache'),
      own,
    });
    expect(words).toEqual([
      expect.stringMatching(
        /file\/cache cannot be used: .*: what tests share is made for this run alone, in .*\/own\.$/,
      ),
    ]);
    const held = await cache.obtain('key', file('whole'));
    expect(await readFile(path.join(own, 'key/content'), 'utf8')).toBe('whole');
    await held.release();
  });

  it('which goes with the run, or with the next one where it was killed', async () => {
    const support = (name: string) => path.join(productRoot, 'test/support', name);
    const began = async (...how: string[]) => {
      const child = spawn(
        process.execPath,
        [
          '-e',
          `import('${support('run-directory-setup.mjs')}').then(async (it) => { await it.default(); console.log(process.env.TEST_RUN_DIR); (await import('node:fs')).mkdirSync(process.env.TEST_RUN_DIR); process.argv[1] === 'ends' && (await (await import('${support('run-directory-teardown.mjs')}')).default()); })`,
          ...how,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: root } },
      );
      const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
      await once(child, 'close');
      return path.basename(String(chunk).trim());
    };
    const killed = await began();
    expect(await readdir(root)).toContain(killed);
    const ended = await began('ends');
    const left = await readdir(root);
    expect([killed, ended].filter((name) => left.includes(name))).toEqual([]);
    expect(killed).toMatch(/^openfactory-tests-run-\d+$/);
  });
});

describe('a lock', () => {
  it('is of the file that has the name: who waited for one that was removed has its successor', async () => {
    await mkdir(dir);
    const name = path.join(dir, 'mark');
    const first = await lock(name, 'exclusive', { wait: true });
    const second = lock(name, 'exclusive', { wait: true });
    await rm(name);
    await first!.release();
    const held = await second;
    expect(held).toBeDefined();
    expect(await readdir(dir)).toEqual(['mark']);
    expect(await lock(name, 'exclusive', { wait: false })).toBeUndefined();
    await held!.release();
  });

  it('is none in a directory that is gone', async () => {
    expect(await lock(path.join(root, 'gone/mark'), 'shared', { wait: true })).toBeUndefined();
  });
});
