import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { partialOf } from './stage-cache.js';
import { discardTree, treeBytes } from './tree/owned-dir.js';

interface Entry {
  bytes: number;
  usedAtMs: number;
  /** @returns whether it is gone. Absent: it is not whole, and others see to it; what it takes counts. */
  remove?: () => Promise<boolean>;
}

export interface CacheUse {
  bytes: number;
  entries: number;
}

export interface CacheDirs {
  cacheDir: string;
  poolDir: string;
}

const namesIn = async (dir: string): Promise<string[]> => await readdir(dir).catch(() => []);

/** Everything the pipeline keeps for later builds: stage results, by when they were last used, and fetched packages. */
async function listEntries(dirs: CacheDirs): Promise<Entry[]> {
  return [...(await stageResults(dirs)), ...(await packages(dirs))];
}

async function stageResults({ cacheDir }: CacheDirs): Promise<Entry[]> {
  const found: string[] = [];
  for (const stage of await namesIn(cacheDir))
    found.push(...(await namesIn(path.join(cacheDir, stage))).map((key) => path.join(cacheDir, stage, key)));
  const bytes = await treeBytes(found);
  return await Promise.all(
    found.map(async (dir, index) => {
      const used = await stat(path.join(dir, 'complete')).catch(() => undefined);
      return {
        bytes: bytes[index] ?? 0,
        usedAtMs: used?.mtimeMs ?? 0,
        ...(used && { remove: () => removeEntry(dir) }),
      };
    }),
  );
}

/** Not whole any more before the first of it is gone, whatever kills us. */
async function removeEntry(dir: string): Promise<boolean> {
  const going = partialOf(dir);
  await rename(dir, going);
  return await discardTree(going);
}

async function packages({ poolDir }: CacheDirs): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const prefix of await namesIn(poolDir)) {
    for (const name of await namesIn(path.join(poolDir, prefix))) {
      const file = path.join(poolDir, prefix, name);
      const { size, mtimeMs } = await stat(file);
      entries.push({ bytes: size, usedAtMs: mtimeMs, remove: () => rm(file, { force: true }).then(() => true) });
    }
  }
  return entries;
}

const sumOf = (entries: Entry[]): number => entries.reduce((sum, { bytes }) => sum + bytes, 0);

export async function measureCache(dirs: CacheDirs): Promise<CacheUse> {
  const entries = await listEntries(dirs);
  return { entries: entries.filter(({ remove }) => remove).length, bytes: sumOf(entries) };
}

/**
 * Removes what was used least recently until the rest fits. Only while no build runs on these directories. What a kept entry was made from
 * may go: it is made again if it is wanted.
 * @returns what was removed
 */
export async function pruneCache(dirs: CacheDirs, maxBytes: number): Promise<CacheUse> {
  const entries = (await listEntries(dirs)).sort((a, b) => a.usedAtMs - b.usedAtMs);
  let bytes = sumOf(entries);
  const removed: CacheUse = { bytes: 0, entries: 0 };
  for (const entry of entries) {
    if (bytes <= maxBytes) break;
    if (!(await entry.remove?.())) continue;
    bytes -= entry.bytes;
    removed.bytes += entry.bytes;
    removed.entries++;
  }
  return removed;
}
