import { createHash, randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import {
  ArtifactMismatch,
  ArtifactMissing,
  ArtifactStore,
  type ArtifactToStore,
  type ByteRange,
  type GroupUsage,
  type StoredArtifact,
} from '../artifact-store.port.js';

/** An honest store in memory. */
export class FakeArtifactStore extends ArtifactStore {
  private readonly kept = new Map<string, { content: Buffer; at: Date }>();

  async put({ group, path, sha256, sizeBytes }: ArtifactToStore, signal?: AbortSignal): Promise<StoredArtifact> {
    signal?.throwIfAborted();
    const content = await readFile(path);
    if (createHash('sha256').update(content).digest('hex') !== sha256) throw new ArtifactMismatch('the sha256 differs');
    if (content.length !== sizeBytes) throw new ArtifactMismatch('the size differs');
    const key = `${group}/${randomUUID()}`;
    this.kept.set(key, { content, at: new Date() });
    await rm(path);
    return { key, sizeBytes, sha256 };
  }

  async open(key: string, range?: ByteRange): Promise<Readable> {
    const found = this.kept.get(key);
    if (!found) throw new ArtifactMissing();
    return await Promise.resolve(
      Readable.from([range ? found.content.subarray(range.first, range.last + 1) : found.content]),
    );
  }

  localPath(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async stat(key: string): Promise<{ sizeBytes: number } | undefined> {
    const found = this.kept.get(key);
    return await Promise.resolve(found && { sizeBytes: found.content.length });
  }

  async delete(key: string): Promise<void> {
    await Promise.resolve(this.kept.delete(key));
  }

  async deleteGroup(group: string): Promise<void> {
    for (const key of [...this.kept.keys()]) if (key.startsWith(`${group}/`)) await this.delete(key);
  }

  async usage(): Promise<GroupUsage[]> {
    const groups = new Map<string, GroupUsage>();
    for (const [key, { content, at }] of this.kept) {
      const group = key.slice(0, key.indexOf('/'));
      const { count = 0, sizeBytes = 0 } = groups.get(group) ?? {};
      groups.set(group, { group, count: count + 1, sizeBytes: sizeBytes + content.length, changedAt: at });
    }
    return await Promise.resolve([...groups.values()]);
  }
}
