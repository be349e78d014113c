import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, chmod, constants, lstat, mkdir, readdir, rename, rm, statfs, utimes } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { lock } from './kernel-lock.js';

const day = 24 * 60 * 60_000;
/** What entries take together, how long they may be of no use, and what the disk must have left before another is made. */
export const usualBounds = { bytes: 16 * 2 ** 30, unusedMs: 7 * day, freeBytes: 4 * 2 ** 30 };
/** Between being made and being locked by its maker, a directory is nobody's; nobody is slower than this. */
const settledMs = 60_000;
const inUse = 'in-use';
const making = '.making';
const scratchMark = '.scratch-';

export interface Held {
  dir: string;
  release(): Promise<void>;
}

/** Outside of checkouts, so that a fresh clone finds what the last one made; on one file system, so that clones are links. */
const sharedDirectory = (): string =>
  path.join(
    process.getuid?.() === 0 ? '/var/cache' : (process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache')),
    'openfactory-tests',
  );

/**
 * Directories that tests share, by key, across processes and runs. An entry is made beside its place and renamed into it, so a half-made one never
 * counts; whoever uses one holds a lock on it, so that it is not removed; what is unused for long, or too much, goes.
 */
export class ImageCache {
  constructor(
    private readonly dir: string,
    private readonly bounds = usualBounds,
  ) {}

  /** @returns why nothing can be put here, in words; undefined: it can, or is there already */
  async problem(key: string): Promise<string | undefined> {
    try {
      await this.open();
      await access(this.dir, constants.W_OK);
      if (existsSync(path.join(this.dir, key))) return undefined;
      await this.prune();
      const free = await this.freeBytes();
      return free < this.bounds.freeBytes
        ? `${this.dir} has room for ${Math.round(free / 2 ** 20)} MiB only`
        : undefined;
    } catch (error) {
      return `${this.dir} cannot be used: ${(error as Error).message}`;
    }
  }

  /** Makes what is not there: once, however many processes ask. */
  async obtain(key: string, make: (dir: string) => Promise<void>): Promise<Held> {
    await this.open();
    const found = await this.find(key);
    if (found) return found;
    const makingFile = path.join(this.dir, `${key}${making}`);
    const held = await lock(makingFile, 'exclusive', { wait: true });
    try {
      const foundNow = await this.find(key);
      if (foundNow) return foundNow;
      await this.prune();
      await this.make(key, make);
    } finally {
      await rm(makingFile, { force: true });
      await held?.release();
    }
    const made = await this.find(key);
    if (!made) throw new Error(`${key} was removed as soon as it was made.`);
    await this.prune();
    return made;
  }

  /** @returns what is there, which stays until it is released */
  async find(key: string): Promise<Held | undefined> {
    const dir = path.join(this.dir, key);
    const file = path.join(dir, inUse);
    if (!existsSync(file)) return undefined;
    const held = await lock(file, 'shared', { wait: true });
    if (!held) return undefined;
    const now = new Date();
    await utimes(dir, now, now);
    return { dir, release: () => held.release() };
  }

  /** A directory for a while. What the process leaves of it, others remove. */
  async scratch(name: string): Promise<Held> {
    await this.open();
    const dir = path.join(this.dir, `${name}${scratchMark}${randomBytes(6).toString('hex')}`);
    await mkdir(dir, { mode: 0o755 });
    const held = await lock(path.join(dir, inUse), 'exclusive', { wait: true });
    return { dir, release: async () => await held?.release() };
  }

  /** Removes what processes that are gone left half-made, what is unused for long, and what is too much; what was used least recently goes first. */
  async prune(): Promise<void> {
    const found = await readdir(this.dir, { withFileTypes: true });
    for (const { name } of found.filter((entry) => entry.isFile() && entry.name.endsWith(making)))
      await removeUnlocked(path.join(this.dir, name));
    const entries = await Promise.all(
      found
        .filter((entry) => entry.isDirectory())
        .map(async ({ name }) => {
          const place = path.join(this.dir, name);
          return {
            place,
            isScratch: name.includes(scratchMark),
            usedAt: (await lstat(place).catch(() => undefined))?.mtimeMs ?? Date.now(),
            bytes: await bytesOf(place),
          };
        }),
    );
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    let lacking = this.bounds.freeBytes - (await this.freeBytes());
    for (const { place, isScratch, usedAt, bytes } of entries.sort((a, b) => a.usedAt - b.usedAt)) {
      const age = Date.now() - usedAt;
      const isDue = isScratch
        ? age > settledMs
        : total > this.bounds.bytes || lacking > 0 || age > this.bounds.unusedMs;
      if (!isDue || !(await this.remove(place))) continue;
      total -= bytes;
      lacking -= bytes;
    }
  }

  /** Beside its place and renamed into it: a half-made one never counts. */
  private async make(key: string, make: (dir: string) => Promise<void>): Promise<void> {
    const place = path.join(this.dir, key);
    const scratch = await this.scratch(key);
    try {
      await make(scratch.dir);
      // It was not found: what has its place is none.
      await this.remove(place);
      await rename(scratch.dir, place);
    } catch (error) {
      await rm(scratch.dir, { recursive: true, force: true });
      throw error;
    } finally {
      await scratch.release();
    }
  }

  private async open(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    // Accounts of builds and guests get at what is below, whatever the umask.
    await chmod(this.dir, 0o755);
  }

  private async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.dir);
    return bavail * bsize;
  }

  /** @returns false where somebody uses it */
  private async remove(place: string): Promise<boolean> {
    if (!existsSync(place)) return true;
    const held = await lock(path.join(place, inUse), 'exclusive', { wait: false });
    if (!held) return !existsSync(place);
    try {
      // Out of its place first: nobody is given what is half gone.
      const aside = `${place}${scratchMark}${randomBytes(6).toString('hex')}`;
      await rename(place, aside);
      await rm(aside, { recursive: true, force: true });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true; // Another process was faster.
      throw error;
    } finally {
      await held.release();
    }
  }
}

/** The mark of a maker that is gone. Whoever waits for it makes it anew. */
async function removeUnlocked(file: string): Promise<void> {
  const held = await lock(file, 'exclusive', { wait: false });
  if (!held) return;
  await rm(file, { force: true });
  await held.release();
}

/** What it takes on the disk: memory files are full of holes. */
async function bytesOf(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => (await lstat(path.join(dir, name)).catch(() => undefined))?.blocks ?? 0),
  );
  return sizes.reduce((sum, blocks) => sum + blocks * 512, 0);
}

/**
 * The cache of all runs, or one of this run alone where that cannot take the entry: its disk is full, or it may not be written to.
 * @param places `own` goes when the run ends (run-directory-teardown.mjs)
 */
export async function imageCacheFor(
  key: string,
  tell: (words: string) => void = console.warn,
  places = {
    shared: sharedDirectory(),
    own: process.env.TEST_RUN_DIR ?? path.join(tmpdir(), 'openfactory-tests-alone'),
  },
): Promise<ImageCache> {
  const shared = new ImageCache(places.shared);
  const problem = await shared.problem(key);
  if (problem === undefined) return shared;
  tell(`${problem}: what tests share is made for this run alone, in ${places.own}.`);
  return new ImageCache(places.own);
}
