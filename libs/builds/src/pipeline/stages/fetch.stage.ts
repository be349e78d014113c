import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '#libs/platform';
import { BuildFailure } from '../build-pipeline.port.js';
import type { LockedPackage } from '../package-lock.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import type { PackageSources } from './resolve.stage.js';

const parallel = 8;
const tries = 3;
const stalledMs = 60_000;

/** lock -> pool: every package of the lock, by its hash, verified before it has its name. */
export class FetchStage extends BuildStage {
  readonly name = 'fetch';
  readonly version = 1;

  constructor(private readonly poolDir: string) {
    super();
  }

  inputs(): undefined {
    return undefined;
  }

  async make({ lock }: PipelineState, outDir: string, context: StageContext): Promise<void> {
    if (!lock) throw new Error('fetch needs a lock');
    const sources = JSON.parse(await readFile(path.join(context.workDir, 'resolve', 'sources.json'), 'utf8')) as PackageSources;
    const queue = [...lock.base, ...lock.added];
    let done = 0;
    let fetched = 0;
    const total = queue.length;
    const worker = async () => {
      for (let next = queue.pop(); next; next = queue.pop()) {
        if (await this.obtain(next, sources.urls[next.sha256] ?? '', context.signal)) fetched++;
        context.progress(++done / total);
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    context.log(`${fetched} packages fetched, ${total - fetched} were there`);
    await this.repository(path.join(outDir, 'base'), lock.base, sources);
    await this.repository(path.join(outDir, 'all'), [...lock.base, ...lock.added], sources);
  }

  take(): Promise<void> {
    return Promise.resolve();
  }

  /** @returns whether it had to be fetched */
  private async obtain(wanted: LockedPackage, url: string, signal: AbortSignal): Promise<boolean> {
    const file = this.fileOf(wanted.sha256);
    if ((await stat(file).catch(() => undefined))?.size === wanted.sizeBytes) {
      // The time of last use, which pruning goes by.
      const now = new Date();
      await utimes(file, now, now);
      return false;
    }
    await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
    for (let attempt = 1; ; attempt++) {
      try {
        await download(url, wanted, file, signal);
        return true;
      } catch (error) {
        if (signal.aborted) throw error;
        if (attempt < tries) {
          await sleep(500 * attempt, undefined, { signal });
          continue;
        }
        throw new BuildFailure('fetch', 'system', {
          reason: 'package_fetch_failed',
          message: `The package ${wanted.name} ${wanted.version} could not be fetched from the mirror: ${errorMessage(error)}.`,
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
    const entries = packages.map(({ sha256 }) => (stanzas[sha256] ?? '').replace(/^Filename: .*$/m, `Filename: ./${sha256}.deb`));
    for (const { sha256 } of packages) await link(this.fileOf(sha256), path.join(dir, `${sha256}.deb`));
    await writeFile(path.join(dir, 'Packages'), `${entries.join('\n\n')}\n`, { mode: 0o644 });
  }

  private fileOf(sha256: string): string {
    return path.join(this.poolDir, sha256.slice(0, 2), `${sha256}.deb`);
  }
}

async function download(url: string, { sha256, sizeBytes }: LockedPackage, file: string, signal: AbortSignal): Promise<void> {
  const partial = `${file}.${randomBytes(6).toString('hex')}.partial`;
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new Error('the mirror sent nothing for a minute')), stalledMs);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, stalled.signal]) });
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
    await pipeline(Readable.fromWeb(response.body as never), check, createWriteStream(partial, { mode: 0o644, flush: true }));
    if (bytes !== sizeBytes) throw new Error(`the file ended after ${bytes} of ${sizeBytes} bytes`);
    if (hash.digest('hex') !== sha256) throw new Error('the file does not have the hash that the index promises');
    await rename(partial, file);
  } finally {
    clearTimeout(timer);
    await rm(partial, { force: true });
  }
}
