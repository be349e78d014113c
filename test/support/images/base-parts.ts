import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ProgramError, runProgram } from '#libs/platform';
import { partInBases, productToday } from './product-today.js';
import { imageCacheFor, type ImageCache } from './image-cache.js';

/** Trees belong to many ids, which only root can keep. */
const isRoot = process.getuid?.() === 0;
/** In an entry. Nobody else enters it: in trees there are set-uid programs of the build account's. */
const enclosed = 'parts';
const pool = 'builds/pool';
/** Every image of a base begins with what these made; of the others each is one recipe's. */
const stages = ['base', 'initramfs', 'squashfs'].map((stage) => `builds/cache/${stage}`);

/**
 * What builds of one base have in common, so that of the factories of a run only the first makes it: packages, and entries of the product's own cache,
 * which takes them for what they are by the hash of their inputs, and makes what is not there. Linked, since nobody writes to what is whole.
 */
export class BaseParts {
  private constructor(
    private readonly key: string,
    private readonly cache: ImageCache,
  ) {}

  static async of(baseImage: string): Promise<BaseParts> {
    const key = `parts-${baseImage}-${await productToday(partInBases)}`;
    return new BaseParts(key, await imageCacheFor(key));
  }

  /** Puts what is kept, if it is, into the directory of a factory that has built nothing. */
  async give(dataDir: string): Promise<void> {
    const held = isRoot ? await this.cache.find(this.key) : undefined;
    if (!held) return;
    await copyParts(path.join(held.dir, enclosed), dataDir).finally(() => held.release());
  }

  /** Keeps what a factory has whole, unless somebody else's is kept. */
  async keep(dataDir: string): Promise<void> {
    if (!isRoot) return;
    const held = await this.cache.obtain(this.key, async (dir) => {
      await mkdir(path.join(dir, enclosed), { mode: 0o700 });
      await copyParts(dataDir, path.join(dir, enclosed));
    });
    await held.release();
  }
}

/** From one data directory to another. */
async function copyParts(from: string, to: string): Promise<void> {
  const entries = await Promise.all(
    stages.map(async (stage) => (await namesIn(path.join(from, stage))).map((key) => path.join(stage, key))),
  );
  const whole = entries.flat().filter((entry) => existsSync(path.join(from, entry, 'complete')));
  const packages = (await namesIn(path.join(from, pool))).map((prefix) => path.join(pool, prefix));
  for (const place of [...packages, ...whole]) {
    await mkdir(path.dirname(path.join(to, place)), { recursive: true });
    await copyTree(path.join(from, place), path.join(to, place));
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  const copy = (...how: string[]) =>
    runProgram('cp', ['--archive', ...how, '--no-target-directory', '--', from, to], { deadlineMs: 5 * 60_000 });
  await copy('--link').catch(async (error: unknown) => {
    if (!(error instanceof ProgramError)) throw error;
    // Not on one file system.
    await copy('--remove-destination');
  });
}

const namesIn = async (dir: string): Promise<string[]> => await readdir(dir).catch(() => []);
