import { once } from 'node:events';
import { open, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { Logger } from '@nestjs/common';
import { buildAccount, errorMessage, runProgram, spawnProgram, type Account } from '#libs/platform';
import { makeOwnedDir } from './owned-dir.js';
import { runOnTree } from './tree-sandbox.js';
import { watchSize } from './size-watch.js';

export interface ScratchBounds {
  bytes: number;
  inodes: number;
}

/** Where a layer is made: strangers write here until it is whole. */
export interface LayerScratch {
  /** The layer. */
  readonly upper: string;
  /** A process in whose mount namespace `upper` is what strangers write to; absent: everybody sees it. */
  readonly mounts?: number;
  /** Aborts with the given signal, or when too much was written where nothing else stops it. */
  readonly signal: AbortSignal;
  /** What more was written than: its size, or so many files; undefined: it is not full. @throws ENOSPC where it is smaller than it should be, because of the host's disk */
  readonly tooMuch: () => Promise<string | undefined>;
}

const mountedDir = 'scratch';
const imageName = 'scratch.img';
/** The rest of a full file system is too little for anything. */
const fullAt = 0.02;
const mountAndStay = 'mount -o loop,nosuid,nodev,noatime,noinit_itable "$1" "$2" && echo mounted && exec cat';

/**
 * Has a layer made at `<outDir>/layer`. As root it is written to a file system of its own (ext4 in a sparse file, mounted where only the build's programs
 * see it), so that the kernel itself counts bytes and files, and copied out when it is whole. Where that cannot be (no root, no loop devices), it is
 * written to its place at once, and measured while it grows.
 */
export async function makeLayer(
  outDir: string,
  bounds: ScratchBounds,
  signal: AbortSignal,
  work: (scratch: LayerScratch) => Promise<void>,
): Promise<void> {
  await makeOwnedDir(outDir);
  const account = await buildAccount();
  const own = account && (await OwnFileSystem.open(outDir, bounds, account).catch(tellOnce));
  if (!own) return await makeWatched(path.join(outDir, 'layer'), bounds, signal, work);
  try {
    await work({ upper: own.upper, mounts: own.pid, signal, tooMuch: () => own.tooMuch() });
    await runOnTree('cp', ['--archive', '--no-target-directory', '--', own.upper, path.join(outDir, 'layer')], {
      mounts: own.pid,
      deadlineMs: 30 * 60_000,
      signal,
    });
  } finally {
    await own.close();
  }
}

/** Tries it, on a small one. @throws whatever stands in the way */
export async function tryOwnFileSystem(dir: string, account: Account): Promise<void> {
  await (await OwnFileSystem.open(dir, { bytes: 16 * 2 ** 20, inodes: 256 }, account)).close();
}

async function makeWatched(
  upper: string,
  { bytes }: ScratchBounds,
  outer: AbortSignal,
  work: (scratch: LayerScratch) => Promise<void>,
): Promise<void> {
  await makeOwnedDir(upper);
  const watch = watchSize(upper, bytes, outer);
  try {
    await work({
      upper,
      signal: watch.signal,
      tooMuch: () => Promise.resolve(watch.exceeded ? mebibytes(bytes) : undefined),
    });
  } finally {
    watch.stop();
  }
}

class OwnFileSystem {
  private constructor(
    private readonly image: string,
    private readonly dir: string,
    private readonly bytes: number,
    private readonly wanted: ScratchBounds,
    private readonly keeper: ReturnType<typeof spawnProgram>,
  ) {}

  static async open(outDir: string, wanted: ScratchBounds, { uid, gid }: Account): Promise<OwnFileSystem> {
    const [image, dir] = [path.join(outDir, imageName), path.join(outDir, mountedDir)];
    await makeOwnedDir(dir);
    // Its file takes space as it is written: two at once fit as well, and what else is written meanwhile.
    const { bavail, bsize } = await statfs(outDir);
    const bytes = Math.min(wanted.bytes, Math.floor((bavail * bsize) / 2));
    const file = await open(image, 'wx', 0o600);
    await file.truncate(bytes).finally(() => file.close());
    // Nothing of it outlives the build: no journal, no reserve, and inode tables that nobody has to zero.
    const options = [
      '-q',
      '-F',
      '-m',
      '0',
      '-N',
      String(wanted.inodes),
      '-O',
      '^has_journal,^resize_inode',
      '-E',
      `nodiscard,lazy_itable_init=1,root_owner=${uid}:${gid}`,
    ];
    await runProgram('mkfs.ext4', [...options, image], { deadlineMs: 60_000 });
    const keeper = spawnProgram('unshare', [
      '--mount',
      '--propagation=private',
      '--',
      'sh',
      '-c',
      mountAndStay,
      'sh',
      image,
      dir,
    ]);
    const made = new OwnFileSystem(image, dir, bytes, wanted, keeper);
    try {
      await mounted(keeper);
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  get upper(): string {
    return path.join(this.dir, 'layer');
  }

  get pid(): number {
    return this.keeper.pid ?? 0;
  }

  async tooMuch(): Promise<string | undefined> {
    const { blocks, bavail, files, ffree } = await statfs(path.join(`/proc/${this.pid}/root`, this.dir));
    if (ffree < fullAt * files) return `${this.wanted.inodes} files`;
    if (bavail >= fullAt * blocks) return undefined;
    if (this.bytes < this.wanted.bytes)
      throw Object.assign(new Error(`the disk has room for a layer of ${mebibytes(this.bytes)} only`), {
        code: 'ENOSPC',
      });
    return mebibytes(this.bytes);
  }

  async close(): Promise<void> {
    if (this.keeper.exitCode === null && this.keeper.signalCode === null && this.keeper.pid !== undefined) {
      const gone = once(this.keeper, 'close');
      this.keeper.kill('SIGKILL');
      await gone;
    }
    await rm(this.image, { force: true });
    await rm(this.dir, { force: true, recursive: true });
  }
}

async function mounted(keeper: ReturnType<typeof spawnProgram>): Promise<void> {
  let words = '';
  await new Promise<void>((resolve, reject) => {
    keeper.once('error', reject);
    keeper.stdout?.on('data', (chunk: Buffer) => {
      if (String(chunk).includes('mounted')) resolve();
    });
    keeper.stderr?.on('data', (chunk: Buffer) => (words = (words + String(chunk)).slice(-500)));
    keeper.once('close', () => reject(new Error(words.trim() || 'the mount ended')));
  });
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

let told = false;
function tellOnce(error: unknown): undefined {
  if (!told)
    new Logger('Builds').warn(
      `Layers are measured while they grow, because they cannot have a file system of their own: ${errorMessage(error)}`,
    );
  told = true;
}
