import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '#libs/platform';
import { BuildFailure } from '../build-pipeline.port.js';
import { isDiskFull } from '../disk-guard.js';
import type { LockedPackage } from '../package-lock.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import type { PackageSources } from './resolve.stage.js';

export interface FetchLimits {
  parallel: number;
  tries: number;
  /** Between two tries, times the number of the try. */
  pauseMs: number;
  /** A mirror that sends nothing for so long has stalled. */
  stalledMs: number;
}

const usualLimits: FetchLimits = { parallel: 8, tries: 3, pauseMs: 500, stalledMs: 60_000 };

/** lock -> pool: every package of the lock, by its hash, verified before it has its name. */
export class FetchStage extends BuildStage {
  readonly name = 'fetch';
  readonly version = 1;

  constructor(
    private readonly poolDir: string,
    private readonly limits: FetchLimits = usualLimits,
  ) {
    super();
  }

  inputs(): undefined {
    return undefined;
  }

  /** What the pool lacks. */
  override async needsBytes({ lock }: PipelineState): Promise<number> {
    const sizes = await Promise.all(
      [...(lock?.base ?? []), ...(lock?.added ?? [])].map(async (wanted) =>
        (await this.isPooled(wanted)) ? 0 : wanted.sizeBytes,
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  async make({ lock }: PipelineState, outDir: string, context: StageContext): Promise<void> {
    if (!lock) throw new Error('fetch needs a lock');
    const sources = JSON.parse(
      await readFile(path.join(context.workDir, 'resolve', 'sources.json'), 'utf8'),
    ) as PackageSources;
    const queue = [...lock.base, ...lock.added];
    let done = 0;
    let fetched = 0;
    const total = queue.length;
    // The first that fails stops the others, and all of them have ended before the stage has: nothing is written behind its back.
    const failed = new AbortController();
    const signal = AbortSignal.any([context.signal, failed.signal]);
    const worker = async () => {
      for (let next = queue.pop(); next; next = queue.pop()) {
        if (await this.obtain(next, { url: sources.urls[next.sha256] ?? '', scratchDir: outDir, signal })) fetched++;
        context.progress(++done / total);
      }
    };
    const ends = await Promise.allSettled(
      Array.from({ length: this.limits.parallel }, () =>
        worker().catch((error: unknown) => {
          failed.abort(error);
          throw error;
        }),
      ),
    );
    context.signal.throwIfAborted();
    if (ends.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
    context.log(`${fetched} packages fetched, ${total - fetched} were there`);
    await this.repository(path.join(outDir, 'base'), lock.base, sources);
    await this.repository(path.join(outDir, 'all'), [...lock.base, ...lock.added], sources);
  }

  take(): Promise<void> {
    return Promise.resolve();
  }

  private async isPooled({ sha256, sizeBytes }: LockedPackage): Promise<boolean> {
    return (await stat(this.fileOf(sha256)).catch(() => undefined))?.size === sizeBytes;
  }

  /** @returns whether it had to be fetched */
  private async obtain(wanted: LockedPackage, { url, scratchDir, signal }: Source): Promise<boolean> {
    const file = this.fileOf(wanted.sha256);
    signal.throwIfAborted();
    if (await this.isPooled(wanted)) {
      // The time of last use, which pruning goes by.
      const now = new Date();
      await utimes(file, now, now);
      return false;
    }
    await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
    for (let attempt = 1; ; attempt++) {
      try {
        const whole = await download(url, wanted, { scratchDir, signal, stalledMs: this.limits.stalledMs });
        await rename(whole, file);
        return true;
      } catch (error) {
        if (signal.aborted || isDiskFull(error)) throw error;
        if (attempt < this.limits.tries) {
          await sleep(this.limits.pauseMs * attempt, undefined, { signal });
          continue;
        }
        throw new BuildFailure('fetch', 'system', {
          reason: 'package_fetch_failed',
          message: `The package ${wanted.name} ${wanted.version} could not be fetched from the mirror: ${whyOf(error)}.`,
          hint: 'Retry the build; if it stays, refresh the package index or check the mirror.',
          retryable: true,
          cause: error,
        });
      }
    }
  }

  /** A flat repository of exactly these packages (hard links into the pool) for an apt without a network. */
  private async repository(dir: string, packages: LockedPackage[], { stanzas }: PackageSources): Promise<void> {
    await mkdir(dir, { mode: 0o755 });
    const entries = packages.map(({ sha256 }) =>
      (stanzas[sha256] ?? '').replace(/^Filename: .*$/m, `Filename: ./${sha256}.deb`),
    );
    for (const { sha256 } of packages) await link(this.fileOf(sha256), path.join(dir, `${sha256}.deb`));
    await writeFile(path.join(dir, 'Packages'), `${entries.join('\n\n')}\n`, { mode: 0o644 });
  }

  private fileOf(sha256: string): string {
    return path.join(this.poolDir, sha256.slice(0, 2), `${sha256}.deb`);
  }
}

interface Source {
  url: string;
  /** On the file system of the pool; what is half there when we are killed goes with it. */
  scratchDir: string;
  signal: AbortSignal;
}

/** @returns the file, whole and verified, in the scratch directory */
async function download(
  url: string,
  { sha256, sizeBytes }: LockedPackage,
  { scratchDir, signal, stalledMs }: Omit<Source, 'url'> & { stalledMs: number },
): Promise<string> {
  const partial = path.join(scratchDir, `${sha256}.${randomBytes(6).toString('hex')}.partial`);
  const stalled = new AbortController();
  const timer = setTimeout(
    () => stalled.abort(new Error(`the mirror sent nothing for ${stalledMs / 1000} seconds`)),
    stalledMs,
  );
  try {
    const { href, headers } = withoutUserInfo(url);
    const response = await fetch(href, { headers, signal: AbortSignal.any([signal, stalled.signal]) });
    if (!response.ok || !response.body) throw new Error(`the mirror answered ${response.status}`);
    const hash = createHash('sha256');
    let bytes = 0;
    const check = new Transform({
      transform(chunk: Buffer, _encoding, callback) {
        timer.refresh();
        bytes += chunk.length;
        hash.update(chunk);
        callback(bytes > sizeBytes ? new Error('the file is larger than the index says') : null, chunk);
      },
    });
    await pipeline(
      Readable.fromWeb(response.body as never),
      check,
      createWriteStream(partial, { mode: 0o644, flush: true }),
    );
    if (bytes !== sizeBytes) throw new Error(`the file ended after ${bytes} of ${sizeBytes} bytes`);
    if (hash.digest('hex') !== sha256) throw new Error('the file does not have the hash that the index promises');
    return partial;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** fetch refuses addresses that hold credentials, and would repeat them in its complaint. */
function withoutUserInfo(url: string): { href: string; headers: Record<string, string> } {
  const bare = new URL(url);
  const { username, password } = bare;
  if (!username && !password) return { href: bare.href, headers: {} };
  bare.username = bare.password = '';
  return {
    href: bare.href,
    headers: {
      authorization: `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`,
    },
  };
}

/** fetch says only that it failed; the reason is the cause of its error. */
function whyOf(error: unknown): string {
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  const why = cause?.code ?? cause?.message;
  return why ? `${errorMessage(error)} (${why})` : errorMessage(error);
}
