import { randomBytes, randomInt } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { usualGuestSize, type Guest } from '#libs/hypervisor';
import { runProgram } from '#libs/platform';
import { QemuHypervisor } from '../../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { imageRecipes, type ImageName } from './image-recipes.js';
import { imageFiles, imageKey, makeImage, type AboutImage } from './make-image.js';
import { imageCacheFor, type Held, type ImageCache } from './image-cache.js';

const minutes = 60_000;
/** Slots of no factory's VMs: each is an account. */
const uidIndexes = { from: 10_000, to: 60_000 };

export interface Clone {
  guest: Guest;
  /** Runs a program as the guest's root. @returns what it printed, trimmed. @throws with its errors where its code is not 0 */
  run: (...argv: string[]) => Promise<string>;
  /** The same for a line of sh(1). */
  sh: (line: string) => Promise<string>;
}

/** An image that was built and booted, and the saved state of that boot. */
export class UsedImage {
  readonly #hypervisor = new QemuHypervisor();
  #cache: ImageCache | undefined;
  #held: Held | undefined;
  #about: AboutImage | undefined;

  constructor(private readonly recipe: { base_image: string }) {}

  get isoPath(): string {
    return path.join(this.#factory, this.#known.iso);
  }

  /** For `Hypervisor.startFromSnapshot`; a clone's directory must lie on its file system: see `scratch`. */
  get snapshotDir(): string {
    return path.join(this.#factory, this.#known.snapshot);
  }

  /** Of the build that made it, in `factoryIn`. */
  get buildId(): string {
    return this.#known.buildId;
  }

  /** Makes a data directory, which must be empty, that of a stopped factory in which somebody on this machine has built the image. */
  async factoryIn(dataDir: string): Promise<void> {
    await runProgram('cp', ['--archive', '--reflink=auto', '--no-target-directory', this.#factory, dataDir], {
      deadlineMs: 5 * minutes,
    });
  }

  async open(): Promise<void> {
    const key = `image-${await imageKey(this.recipe)}`;
    this.#cache = await imageCacheFor(key);
    this.#held = await this.#cache.obtain(key, (outDir) =>
      this.scratch((dataDir) => makeImage(this.recipe, dataDir, outDir)),
    );
    this.#about = JSON.parse(await readFile(path.join(this.#held.dir, imageFiles.about), 'utf8')) as AboutImage;
  }

  async close(): Promise<void> {
    await this.#held?.release();
  }

  /** A directory for a while, on the file system of the snapshot. */
  async scratch<T>(work: (dir: string) => Promise<T>): Promise<T> {
    if (!this.#cache) throw new Error('A directory for a while is there from the first test on.');
    const scratch = await this.#cache.scratch('work');
    try {
      return await work(scratch.dir);
    } finally {
      await rm(scratch.dir, { recursive: true, force: true });
      await scratch.release();
    }
  }

  /**
   * Has `work` ask a clone of the boot: a system that is up, as its image left it. With a name it is made a machine of its own first, as every VM is
   * (docs/vms.md): host name, clock, machine id, SSH keys.
   */
  async inClone<T>(work: (clone: Clone) => Promise<T>, { name }: { name?: string } = {}): Promise<T> {
    return await this.scratch(async (workDir) => {
      const patience = AbortSignal.timeout(5 * minutes);
      const spec = {
        isoPath: this.isoPath,
        ...usualGuestSize,
        firmware: 'bios',
        network: 'none',
        workDir,
        diskPath: path.join(workDir, 'disk.qcow2'),
        uidIndex: randomInt(uidIndexes.from, uidIndexes.to),
      } as const;
      const guest = await this.#hypervisor.startFromSnapshot(this.snapshotDir, spec, patience);
      try {
        await guest.waitForAgent(patience);
        if (name !== undefined)
          await guest.helper.restore({ entropy: randomBytes(64), hostname: name, linkUp: false }, 2 * minutes);
        const run = async (...argv: string[]) => {
          const { code, stdout, stderr } = await guest.execute('/usr/bin/env', argv, { deadlineMs: 2 * minutes });
          if (code !== 0) throw new Error(`${argv.join(' ')} failed (${code}): ${stderr}${stdout}`);
          return stdout.trim();
        };
        return await work({ guest, run, sh: (line) => run('sh', '-c', line) });
      } finally {
        await guest.quit();
      }
    });
  }

  get #factory(): string {
    return path.join(this.#held?.dir ?? '', imageFiles.factory);
  }

  get #known(): AboutImage {
    if (!this.#about) throw new Error('The image is there from the first test on.');
    return this.#about;
  }
}

/** The image of this name, for the tests of this file: made once for all who use it, and kept until its recipe, the product or the day changes. */
export function useImage(name: ImageName): UsedImage {
  const image = new UsedImage(imageRecipes[name]);
  beforeAll(() => image.open(), 25 * minutes);
  afterAll(() => image.close(), minutes);
  return image;
}
