import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { killGroup, runProgram, spawnProgram } from '#libs/platform';
import { seal } from './archive-seal.js';
import { tarEndBytes, tarMember } from './tar-member.js';

const longestMs = 24 * 60 * 60 * 1000;

/** One `.tar.zst`, written as `.partial` and renamed when it is complete and on the disk. Readable by its owner only: it holds secrets. */
export class ArchiveWriter {
  private readonly hash = createHash('sha256');
  private readonly saved: Promise<void>;
  private readonly zstdEnded: Promise<number | null>;
  private readonly broken = new AbortController();
  private failure: Error | undefined;
  private bytes = 0;
  private finishing = false;

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly zstd: ChildProcess,
    private readonly signal: AbortSignal,
  ) {
    const fail = (error: Error) => this.fail(error);
    this.zstdEnded = new Promise((resolve) => zstd.on('close', resolve));
    this.saved = this.save();
    // A program that is gone closes its input without an error, and a write that waits for it would wait for ever.
    zstd.on('exit', (code) => this.finishing || fail(endedEarly(code)));
    signal.addEventListener('abort', () => fail(endedEarly('interrupted')), { once: true });
    this.saved.catch(fail);
    zstd.on('error', fail);
    zstd.stdin?.on('error', fail);
  }

  static async create(file: string, signal: AbortSignal): Promise<ArchiveWriter> {
    await rm(`${file}.partial`, { force: true });
    const handle = await open(`${file}.partial`, 'wx', 0o600);
    return new ArchiveWriter(file, handle, spawnProgram('zstd', ['-3', '-T0', '-q', '-c']), signal);
  }

  async addMember(name: string, content: Buffer): Promise<void> {
    await this.write(tarMember(name, content));
  }

  /**
   * Adds what tar makes of these arguments, without the end mark, so that the parts are one archive. Exit code 1 says that a file changed
   * or vanished while it was read, which a living directory does.
   */
  async addFiles(args: string[]): Promise<void> {
    let held = Buffer.alloc(0);
    const onStdout = (chunk: Buffer) => {
      const all = Buffer.concat([held, chunk]);
      const end = Math.max(0, all.length - tarEndBytes);
      held = all.subarray(end);
      return this.write(all.subarray(0, end));
    };
    try {
      // Blocking factor 1: the end mark is then exactly two blocks, and not padded to a record.
      await runProgram('tar', ['--create', '--blocking-factor=1', '--file=-', ...args], {
        deadlineMs: longestMs,
        signal: this.signal,
        okCodes: [0, 1],
        onStdout,
      });
    } catch (error) {
      throw this.failure ?? error;
    }
    if (held.length !== tarEndBytes || held.some((byte) => byte !== 0)) throw new Error('tar did not end its archive');
  }

  /** @returns the size of the archive */
  async finish(): Promise<number> {
    await this.write(Buffer.alloc(tarEndBytes));
    this.finishing = true;
    this.zstd.stdin?.end();
    await this.saved;
    const code = await this.zstdEnded;
    if (code !== 0) throw endedEarly(code);
    const end = seal(this.hash.digest());
    await this.handle.write(end);
    await this.handle.sync();
    await this.handle.close();
    await rename(`${this.file}.partial`, this.file);
    await syncDirectory(path.dirname(this.file));
    return this.bytes + end.length;
  }

  async discard(): Promise<void> {
    killGroup(this.zstd);
    await this.saved.catch(() => undefined);
    await this.handle.close().catch(() => undefined);
    await rm(`${this.file}.partial`, { force: true });
  }

  private async write(chunk: Buffer): Promise<void> {
    this.signal.throwIfAborted();
    if (this.failure) throw this.failure;
    const { stdin } = this.zstd;
    if (!stdin || stdin.write(chunk)) return;
    await once(stdin, 'drain', { signal: this.broken.signal }).catch((error: unknown) => {
      throw this.failure ?? error;
    });
  }

  private async save(): Promise<void> {
    for await (const chunk of this.zstd.stdout ?? []) {
      this.hash.update(chunk as Buffer);
      this.bytes += (chunk as Buffer).length;
      await this.handle.writeFile(chunk as Buffer);
    }
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.broken.abort();
    killGroup(this.zstd);
  }
}

const endedEarly = (how: number | string | null) =>
  Object.assign(new Error(`zstd ended early (${how ?? 'killed'})`), { code: 'EPIPE' });

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  await handle.sync().finally(() => handle.close());
}
