import { statfs } from 'node:fs/promises';
import { ProgramError } from '#libs/platform';
import { BuildFailure, type StageName } from './build-pipeline.port.js';

/** Stays free: the database and the log of the factory live on the same disk, and must outlive a build that fills it. */
const usualReserveBytes = 512 * 2 ** 20;
const everyMs = 1_000;

export interface DiskWatch {
  /** Aborts with the given signal, or when the disk is nearly full. */
  signal: AbortSignal;
  /** Whether the disk was seen nearly full. */
  readonly full: boolean;
  /** Looks now: after a failure, before what was half-made is removed. */
  look(): Promise<void>;
  stop(): void;
}

export interface DiskNeed {
  stage: StageName;
  bytes: number;
}

/** Keeps builds from the last of the disk: they are not started where it will not do, and stopped where it did not. */
export class DiskGuard {
  constructor(
    /** A directory on the file system that builds write to. */
    private readonly dir: string,
    private readonly reserveBytes = usualReserveBytes,
  ) {}

  /** @throws BuildFailure `disk_full` of the given stage */
  async require(stage: StageName, needs: DiskNeed[]): Promise<void> {
    const free = await this.freeBytes();
    const wanted = needs.reduce((sum, { bytes }) => sum + bytes, 0);
    if (free >= wanted + this.reserveBytes) return;
    const parts = needs.map((need) => `${need.stage} ${mebibytes(need.bytes)}`).join(', ');
    const what = wanted
      ? `this build needs about ${mebibytes(wanted)} MiB (${parts}), and ${mebibytes(this.reserveBytes)} MiB must stay free`
      : `${mebibytes(this.reserveBytes)} MiB must stay free`;
    throw diskFull(stage, `The disk has ${mebibytes(free)} MiB free; ${what}.`);
  }

  watch(outer: AbortSignal): DiskWatch {
    const controller = new AbortController();
    let full = false;
    const look = async () => {
      // A file system that cannot be asked is not full for that.
      const free = await this.freeBytes().catch(() => Infinity);
      if (free >= this.reserveBytes) return;
      full = true;
      controller.abort();
    };
    const timer = setInterval(() => void look(), everyMs).unref();
    return {
      signal: AbortSignal.any([outer, controller.signal]),
      get full() {
        return full;
      },
      look,
      stop: () => clearInterval(timer),
    };
  }

  /** Of a stage that failed while the disk was full. */
  failure(stage: StageName, cause: unknown): BuildFailure {
    return diskFull(
      stage,
      `The disk was nearly full, so the stage ${stage} was stopped: ${mebibytes(this.reserveBytes)} MiB must stay free.`,
      cause,
    );
  }

  private async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.dir);
    return bavail * bsize;
  }
}

/** Whether one of our writes, or a program of the host, met a full disk. */
export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  return (
    error instanceof ProgramError &&
    /No space left on device|Disk quota exceeded/.test(`${error.message}\n${error.result?.stderr ?? ''}`)
  );
}

function diskFull(stage: StageName, message: string, cause?: unknown): BuildFailure {
  return new BuildFailure(stage, 'system', {
    reason: 'disk_full',
    message,
    hint: 'Free some space (openfactory cache shows and prunes what builds keep), then retry the build.',
    retryable: true,
    cause,
  });
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
