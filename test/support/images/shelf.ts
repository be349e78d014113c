import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, rename, rm, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { lock } from './kernel-lock.js';

const day = 24 * 60 * 60_000;
export const usualBounds = { bytes: 16 * 2 ** 30, unusedMs: 7 * day };
/** Between being made and being locked by its maker, a directory is nobody's; nobody is slower than this. */
const settledMs = 60_000;
const inUse = 'in-use';

export interface Held {
  dir: string;
  release(): Promise<void>;
}

/** Outside of checkouts, so that a fresh clone finds what the last one made; on one file system, so that clones are links. */
export const shelfDirectory = (): string => path.join(process.getuid?.() === 0 ? '/var/cache' : (process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache')), 'openfactory-tests');

/**
 * Directories that tests share, by key, across processes and runs. An entry is made beside its place and renamed into it, so a half-made one never
 * counts; whoever uses one holds a lock on it, so that it is not removed; what is unused for long, or too much, goes.
 */
export class Shelf {
  constructor(
    private readonly dir: string,
    private readonly bounds = usualBounds,
  ) {}

  /** Makes what is not there: once, however many processes ask. */
  async obtain(key: string, make: (dir: string) => Promise<void>): Promise<Held> {
    await this.open();
    const found = await this.find(key);
    if (found) return found;
    const makingFile = path.join(this.dir, `${key}.making`);
    const making = await lock(makingFile, 'exclusive', { wait: true });
    try {
      const foundNow = await this.find(key);
      if (foundNow) return foundNow;
      await this.prune();
      const scratch = await this.scratch(key);
      try {
        await make(scratch.dir);
        await rename(scratch.dir, path.join(this.dir, key)).catch(async (error: unknown) => {
          if (!existsSync(path.join(this.dir, key))) throw error;
          await rm(scratch.dir, { recursive: true, force: true });
        });
      } catch (error) {
        await rm(scratch.dir, { recursive: true, force: true });
        throw error;
      } finally {
        await scratch.release();
      }
    } finally {
      await rm(makingFile, { force: true });
      await making?.release();
    }
    const made = await this.find(key);
    if (!made) throw new Error(`${key} was removed as soon as it was made.`);
    await this.prune();
    return made;
  }

  /** A directory for a while. What the process leaves of it, others remove. */
  async scratch(name: string): Promise<Held> {
    await this.open();
    const dir = path.join(this.dir, `${name}.scratch-${randomBytes(6).toString('hex')}`);
    await mkdir(dir, { mode: 0o755 });
    const held = await lock(path.join(dir, inUse), 'exclusive', { wait: true });
    return { dir, release: async () => await held?.release() };
  }

  /** Removes what processes that are gone left half-made, what is unused for long, and what is too much; what was used least recently goes first. */
  async prune(): Promise<void> {
    const directories = (await readdir(this.dir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const entries = await Promise.all(
      directories.map(async ({ name }) => {
        const place = path.join(this.dir, name);
        return { place, isScratch: name.includes('.scratch-'), usedAt: (await lstat(place).catch(() => undefined))?.mtimeMs ?? Date.now(), bytes: await bytesOf(place) };
      }),
    );
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { place, isScratch, usedAt, bytes } of entries.sort((a, b) => a.usedAt - b.usedAt)) {
      const age = Date.now() - usedAt;
      const isDue = isScratch ? age > settledMs : total > this.bounds.bytes || age > this.bounds.unusedMs;
      if (isDue && (await this.remove(place))) total -= bytes;
    }
  }

  private async open(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    // Accounts of builds and guests get at what is below, whatever the umask.
    await chmod(this.dir, 0o755);
  }

  private async find(key: string): Promise<Held | undefined> {
    const dir = path.join(this.dir, key);
    const file = path.join(dir, inUse);
    for (let inode = await inodeOf(file); inode !== undefined; inode = await inodeOf(file)) {
      const held = await lock(file, 'shared', { wait: true });
      // While we waited it may have been removed, and made again.
      if (held && (await inodeOf(file)) === inode) {
        const now = new Date();
        await utimes(dir, now, now);
        return { dir, release: () => held.release() };
      }
      await held?.release();
    }
    return undefined;
  }

  /** @returns false where somebody uses it */
  private async remove(place: string): Promise<boolean> {
    if (!existsSync(place)) return true;
    const held = await lock(path.join(place, inUse), 'exclusive', { wait: false });
    if (!held) return !existsSync(place);
    try {
      // Out of its place first: nobody is given what is half gone.
      const aside = `${place}.scratch-${randomBytes(6).toString('hex')}`;
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

const inodeOf = async (file: string): Promise<number | undefined> => (await lstat(file).catch(() => undefined))?.ino;

/** What it takes on the disk: memory files are full of holes. */
async function bytesOf(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await lstat(path.join(dir, name)).catch(() => undefined))?.blocks ?? 0));
  return sizes.reduce((sum, blocks) => sum + blocks * 512, 0);
}
