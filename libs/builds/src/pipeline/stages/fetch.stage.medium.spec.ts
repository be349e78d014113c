import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultyMirror, type MirrorHealth } from '../../../../../test/support/faulty-mirror.js';
import type { LockedPackage } from '../package-lock.js';
import type { PipelineState, StageContext } from '../stage.js';
import { FetchStage } from './fetch.stage.js';

let dir: string;
let mirror: FaultyMirror;
let asked: string[];
let authorization: string | undefined;
const files = new Map(Array.from({ length: 20 }, (_, at) => [`/p${at}.deb`, randomBytes(100_000)]));
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const packages: LockedPackage[] = [...files].map(([name, bytes]) => ({
  name: name.slice(1, -4),
  version: '1',
  architecture: 'all',
  sha256: sha256(bytes),
  sizeBytes: bytes.length,
  installedBytes: 4 * bytes.length,
  poolPath: name,
}));
const state = { lock: { base: packages, added: [] } } as unknown as PipelineState;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'of-fetch-'));
  asked = [];
  mirror = await FaultyMirror.start((name, request) => {
    asked.push(name);
    authorization = request.headers.authorization;
    return Promise.resolve(new Response(files.get(name)));
  });
});
afterEach(async () => {
  await mirror.stop();
  await rm(dir, { recursive: true });
});

/** Patient, unless a test wants to see it lose patience: a loaded machine stalls by itself. */
const stage = (stalledMs = 25_000) =>
  new FetchStage(path.join(dir, 'pool'), { parallel: 4, tries: 2, pauseMs: 1, stalledMs });
/** One run of the stage, in a scratch directory of its own, as a build would. */
async function fetchAll({
  signal = new AbortController().signal,
  origin = mirror.url,
  stalledMs,
}: { signal?: AbortSignal; origin?: string; stalledMs?: number } = {}): Promise<string[]> {
  const workDir = await mkdtemp(path.join(dir, 'work-'));
  await mkdir(path.join(workDir, 'resolve'));
  await mkdir(path.join(workDir, 'fetch'));
  const urls = Object.fromEntries(packages.map((one) => [one.sha256, `${origin}${one.poolPath}`]));
  await writeFile(path.join(workDir, 'resolve/sources.json'), JSON.stringify({ urls, stanzas: {} }));
  const lines: string[] = [];
  const context: StageContext = { workDir, signal, progress: () => undefined, log: (line) => lines.push(line) };
  try {
    await stage(stalledMs).make(state, path.join(workDir, 'fetch'), context);
    return lines;
  } finally {
    // Whatever came of it: the pool holds whole files only, and what was half there is gone from the scratch directory too.
    for (const file of await pooled()) expect(sha256(await readFile(file))).toBe(path.basename(file, '.deb'));
    expect((await readdir(path.join(workDir, 'fetch'))).filter((name) => name.includes('partial'))).toEqual([]);
  }
}
const pooled = async () =>
  (await readdir(path.join(dir, 'pool'), { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

describe('FetchStage', () => {
  it.each<[MirrorHealth, RegExp]>([
    ['down', /could not be fetched from the mirror: .*fetch failed \(ECONNREFUSED\)/],
    ['stalls', /the mirror sent nothing for 0.3 seconds/],
    ['half', /could not be fetched from the mirror: .*(terminated|closed|aborted)/],
    ['wrong', /does not have the hash that the index promises/],
  ])(
    'of a mirror that is or sends "%s" fails with a reason, and goes on when the mirror is well',
    async (health, message) => {
      await mirror.become(health);
      await expect(fetchAll(health === 'stalls' ? { stalledMs: 300 } : {})).rejects.toMatchObject({
        stage: 'fetch',
        whose: 'system',
        reason: 'package_fetch_failed',
        retryable: true,
        hint: expect.any(String),
        message: expect.stringMatching(message),
      });
      expect(await stage().needsBytes(state)).toBe(2_000_000);
      await mirror.become('well');
      expect(await fetchAll()).toEqual(['20 packages fetched, 0 were there']);
      expect(await pooled()).toHaveLength(20);
      expect(await stage().needsBytes(state)).toBe(0);
    },
  );

  it('fetches again what an accident shortened, and nothing else', async () => {
    await fetchAll();
    const [short] = await pooled();
    await writeFile(short!, 'short');
    expect(await fetchAll()).toEqual(['1 packages fetched, 19 were there']);
    expect(asked).toHaveLength(21);
  });

  it('stops all its downloads when it is cancelled, and asks nobody any more', async () => {
    await mirror.become('stalls');
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const running = fetchAll({ signal: cancel.signal });
    while (asked.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    cancel.abort(reason);
    await expect(running).rejects.toBe(reason);
    await mirror.become('well');
    expect(asked).toHaveLength(4);
    expect(await pooled()).toEqual([]);
  });

  it('shows a mirror its password, and tells it to nobody else', async () => {
    const origin = mirror.url.replace('//', '//me:s%40cret@');
    await fetchAll({ origin });
    expect(authorization).toBe(`Basic ${Buffer.from('me:s@cret').toString('base64')}`);
    await rm(path.join(dir, 'pool'), { recursive: true });
    await mirror.become('down');
    await expect(fetchAll({ origin })).rejects.toMatchObject({ message: expect.not.stringMatching(/s@cret|s%40cret/) });
  });
});
