import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { removeTree } from './tree/owned-dir.js';
import { diskUsage } from './tree/size-watch.js';

interface Entry {
  path: string;
  bytes: number;
  usedAtMs: number;
  remove: () => Promise<void>;
}

export interface CacheUse {
  bytes: number;
  entries: number;
}

/** Everything the pipeline keeps for later builds: stage results, by when they were last used, and fetched packages. */
async function listEntries({ cacheDir, poolDir }: CacheDirs): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const stage of await readdir(cacheDir).catch(() => [])) {
    for (const key of await readdir(path.join(cacheDir, stage))) {
      const dir = path.join(cacheDir, stage, key);
      const used = await stat(path.join(dir, 'complete')).catch(() => undefined);
      if (used) entries.push({ path: dir, bytes: await diskUsage(dir), usedAtMs: used.mtimeMs, remove: () => removeTree(dir) });
    }
  }
  for (const prefix of await readdir(poolDir).catch(() => [])) {
    for (const name of await readdir(path.join(poolDir, prefix))) {
      const file = path.join(poolDir, prefix, name);
      const { size, mtimeMs } = await stat(file);
      entries.push({ path: file, bytes: size, usedAtMs: mtimeMs, remove: () => rm(file, { force: true }) });
    }
  }
  return entries;
}

export interface CacheDirs {
  cacheDir: string;
  poolDir: string;
}

export async function measureCache(dirs: CacheDirs): Promise<CacheUse> {
  const entries = await listEntries(dirs);
  return { entries: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Removes what was used least recently until the rest fits. Only while no build runs on these directories. What a kept entry was made from
 * may go: it is made again if it is wanted.
 * @returns what was removed
 */
export async function pruneCache(dirs: CacheDirs, maxBytes: number): Promise<CacheUse> {
  const entries = (await listEntries(dirs)).sort((a, b) => a.usedAtMs - b.usedAtMs);
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const removed: CacheUse = { bytes: 0, entries: 0 };
  for (const entry of entries) {
    if (bytes <= maxBytes) break;
    await entry.remove();
    bytes -= entry.bytes;
    removed.bytes += entry.bytes;
    removed.entries++;
  }
  return removed;
}
