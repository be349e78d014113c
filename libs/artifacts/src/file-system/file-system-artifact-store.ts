import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import {
  ArtifactMismatch,
  ArtifactMissing,
  ArtifactStore,
  type ArtifactToStore,
  type ByteRange,
  type GroupUsage,
  type StoredArtifact,
} from '../artifact-store.port.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const chunkBytes = 1 << 20;

/** `<directory>/<group>/<uuid>`. What is being written is called `<uuid>.part` until it is whole and on the disk. */
export class FileSystemArtifactStore extends ArtifactStore {
  constructor(private readonly directory: string) {
    super();
  }

  async put(
    { group, path: source, sha256, sizeBytes }: ArtifactToStore,
    signal?: AbortSignal,
  ): Promise<StoredArtifact> {
    const key = `${group}/${randomUUID()}`;
    const target = this.fileOf(key);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    try {
      // Copied rather than moved: whoever made the file may still hold it open, and may be another account.
      const copied = await copyHashed(source, `${target}.part`, signal);
      if (copied.sha256 !== sha256) throw new ArtifactMismatch('the sha256 differs');
      if (copied.sizeBytes !== sizeBytes)
        throw new ArtifactMismatch(`it holds ${copied.sizeBytes} bytes, not ${sizeBytes}`);
      await rename(`${target}.part`, target);
      await syncDirectory(path.dirname(target));
    } catch (error) {
      await rm(`${target}.part`, { force: true });
      throw error;
    }
    await rm(source, { force: true });
    return { key, sizeBytes, sha256 };
  }

  async open(key: string, range?: ByteRange): Promise<Readable> {
    const handle = await open(this.fileOf(key), 'r').catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new ArtifactMissing() : error;
    });
    return handle.createReadStream({
      highWaterMark: chunkBytes / 4,
      ...(range && { start: range.first, end: range.last }),
    });
  }

  async localPath(key: string): Promise<string | undefined> {
    return (await this.stat(key)) && this.fileOf(key);
  }

  async stat(key: string): Promise<{ sizeBytes: number } | undefined> {
    const found = await orUndefined(stat(this.fileOf(key)));
    return found && { sizeBytes: found.size };
  }

  async delete(key: string): Promise<void> {
    await rm(this.fileOf(key), { force: true });
  }

  async deleteGroup(group: string): Promise<void> {
    await rm(this.directoryOf(group), { recursive: true, force: true });
  }

  async usage(): Promise<GroupUsage[]> {
    const groups = ((await orUndefined(readdir(this.directory))) ?? []).filter((name) => uuid.test(name));
    return await Promise.all(groups.map((group) => this.usageOf(group)));
  }

  private async usageOf(group: string): Promise<GroupUsage> {
    const directory = this.directoryOf(group);
    const names = (await orUndefined(readdir(directory))) ?? [];
    const files = (await Promise.all(names.map((name) => orUndefined(stat(path.join(directory, name)))))).filter(
      (file) => file !== undefined,
    );
    const changed = [...files, await orUndefined(stat(directory))].map((file) => file?.mtimeMs ?? 0);
    return {
      group,
      count: files.length,
      sizeBytes: files.reduce((sum, { size }) => sum + size, 0),
      changedAt: new Date(Math.max(...changed)),
    };
  }

  /** Keys come back from the database; still no other text ever becomes a path. */
  private fileOf(key: string): string {
    const [group = '', name = '', ...more] = key.split('/');
    if (more.length || !uuid.test(name)) throw new Error(`"${key}" is not the key of an artifact.`);
    return path.join(this.directoryOf(group), name);
  }

  private directoryOf(group: string): string {
    if (!uuid.test(group)) throw new Error(`"${group}" is not a group of artifacts.`);
    return path.join(this.directory, group);
  }
}

async function copyHashed(
  source: string,
  target: string,
  signal?: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number }> {
  // O_NOFOLLOW, O_NONBLOCK: neither a link to a file of the host nor a pipe that never ends.
  const from = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await from.stat()).isFile()) throw new ArtifactMismatch('it is no regular file');
    const to = await open(target, 'wx', 0o600);
    try {
      return await copyInto(to, from, signal);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copyInto(
  to: FileHandle,
  from: FileHandle,
  signal?: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let sizeBytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await from.read(buffer, 0, chunkBytes, null);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    for (let written = 0; written < bytesRead;) written += (await to.write(chunk, written)).bytesWritten;
    sizeBytes += bytesRead;
  }
  await to.sync();
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  return await work.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
