import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { canonicalJson } from '#libs/platform';
import { discardTree } from './tree/owned-dir.js';

export interface CacheEntry {
  dir: string;
  key: string;
  hit: boolean;
}

const partialMark = '.partial-';
/** A place beside an entry's, for what is not whole: not yet, or no longer. */
export const partialOf = (dir: string): string => `${dir}${partialMark}${randomBytes(6).toString('hex')}`;

/**
 * What stages made, by the hash of their inputs: `<dir>/<stage>/<key>/`. An entry is made beside its place and renamed into it when it is
 * whole, so a reader never sees half of one, whatever kills us. Two builds that want the same entry in one process wait for each other; in
 * two processes the slower one throws its own away.
 */
export class StageCache {
  private readonly making = new Map<string, Promise<unknown>>();

  constructor(private readonly dir: string) {}

  keyOf(stage: string, version: number, inputs: unknown): string {
    return createHash('sha256')
      .update(canonicalJson([stage, version, inputs]))
      .digest('hex');
  }

  has(stage: string, version: number, inputs: unknown): boolean {
    return existsSync(path.join(this.dir, stage, this.keyOf(stage, version, inputs), 'complete'));
  }

  async obtain(
    stage: string,
    version: number,
    inputs: unknown,
    make: (outDir: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<CacheEntry> {
    const key = this.keyOf(stage, version, inputs);
    const dir = path.join(this.dir, stage, key);
    for (;;) {
      signal.throwIfAborted();
      if (existsSync(path.join(dir, 'complete'))) {
        const now = new Date();
        await utimes(path.join(dir, 'complete'), now, now);
        return { dir, key, hit: true };
      }
      const running = this.making.get(dir);
      if (!running) break;
      // Whoever makes it may fail or be cancelled; then it is our turn. We may be cancelled meanwhile, and then wait for nobody.
      await settledOrAborted(running, signal);
    }
    const work = this.make(dir, make).finally(() => this.making.delete(dir));
    this.making.set(dir, work);
    await work;
    return { dir, key, hit: false };
  }

  /** What a killed process left half-made, or could not remove. To be asked when no build runs. */
  async partials(): Promise<string[]> {
    const found: string[] = [];
    for (const stage of await readdir(this.dir).catch(() => [])) {
      for (const name of await readdir(path.join(this.dir, stage)).catch(() => []))
        if (name.includes(partialMark)) found.push(path.join(this.dir, stage, name));
    }
    return found;
  }

  private async make(dir: string, fill: (outDir: string) => Promise<void>): Promise<void> {
    const partial = partialOf(dir);
    await mkdir(partial, { recursive: true, mode: 0o755 });
    try {
      await fill(partial);
      await writeFile(path.join(path.dirname(partial), `${path.basename(partial)}.complete`), '');
      await rename(
        path.join(path.dirname(partial), `${path.basename(partial)}.complete`),
        path.join(partial, 'complete'),
      );
      await rename(partial, dir);
    } catch (error) {
      await rm(`${partial}.complete`, { force: true });
      await discardTree(partial);
      if (!existsSync(path.join(dir, 'complete'))) throw error;
    }
  }
}

function settledOrAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    work.then(done, done);
  });
}
