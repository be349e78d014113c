import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { Injectable } from '@nestjs/common';
import { discardTree, removeTree, Settings } from '#libs/platform';
import { HostIdentity } from './host-identity.js';
import { namesIn } from './machine-directories.js';
import { VmSnapshotRepository, type VmSnapshot } from './vm-snapshot.repository.js';

/** How long a build may take from its boot to its end: then its image is in the artifact store, or will never be. */
const earlyMs = 30 * 60_000;

/** The VM snapshots of this host: bounded in number for an owner and in bytes for all; what was used least recently goes first. */
@Injectable()
export class VmSnapshotStore {
  /** Starts that read a snapshot just now: until they have, it stays. */
  private readonly readers = new Map<string, Set<Promise<unknown>>>();
  /** Kept while their build is still running, by when that was. */
  private readonly early = new Map<string, number>();

  constructor(
    private readonly identity: HostIdentity,
    private readonly snapshots: VmSnapshotRepository,
    private readonly settings: Settings,
  ) {}

  pathOf(key: string): string {
    return path.join(this.directory, key);
  }

  /** Has a snapshot read by `work`. @returns undefined where there is none of this key */
  async use<T>(key: string, work: (directory: string) => Promise<T>): Promise<{ value: T } | undefined> {
    const reading = this.snapshots
      .touch(this.identity.id, key)
      .then(async (isThere) => (isThere ? { value: await work(this.pathOf(key)) } : undefined));
    const readers = this.readers.get(key) ?? new Set();
    this.readers.set(key, readers.add(reading));
    try {
      return await reading;
    } finally {
      readers.delete(reading);
    }
  }

  /** Takes a snapshot that was saved at `pathOf(key)`, and drops what is too much now. */
  async keep(snapshot: Omit<VmSnapshot, 'sizeBytes'>, { isEarly = false } = {}): Promise<void> {
    if (isEarly) this.early.set(snapshot.key, Date.now());
    await this.snapshots.insert(this.identity.id, { ...snapshot, sizeBytes: await sizeOf(this.pathOf(snapshot.key)) });
    for (const key of this.surplus(await this.snapshots.list(this.identity.id), snapshot.key)) await this.drop(key);
  }

  /** The row first: nobody is given what is half gone. */
  async drop(key: string): Promise<void> {
    await this.snapshots.delete(this.identity.id, key);
    await this.clear(key);
  }

  /** Makes place for a new snapshot of this key. */
  async clear(key: string): Promise<void> {
    await Promise.allSettled([...(this.readers.get(key) ?? [])]);
    await removeTree(this.pathOf(key));
  }

  /** No build has its image, but one may be about to. */
  isEarly(key: string): boolean {
    return Date.now() - (this.early.get(key) ?? -Infinity) < earlyMs;
  }

  /** Its build has its image now: from here on they go together. */
  noteBuilt(key: string): void {
    this.early.delete(key);
  }

  async has(key: string): Promise<boolean> {
    return (await this.list()).some((snapshot) => snapshot.key === key);
  }

  async list(): Promise<VmSnapshot[]> {
    return await this.snapshots.list(this.identity.id);
  }

  /** Directories and rows without each other, as a factory that was killed leaves them. */
  async tidy(): Promise<void> {
    const names = await namesIn(this.directory);
    const keys = (await this.list()).map(({ key }) => key);
    for (const name of names) if (!keys.includes(name)) await discardTree(path.join(this.directory, name));
    for (const key of keys) if (!names.includes(key)) await this.snapshots.delete(this.identity.id, key);
  }

  get directory(): string {
    return path.join(this.identity.directory, 'snapshots');
  }

  /** @param newest is not among them: somebody waits for it */
  private surplus(all: VmSnapshot[], newest: string): string[] {
    const most = this.settings.vmSnapshotsMaxGb * 2 ** 30;
    const surplus: string[] = [];
    const counts = new Map<string, number>();
    let bytes = 0;
    for (const { key, ownerId, sizeBytes } of [...all].sort(
      (a, b) => Number(b.key === newest) - Number(a.key === newest),
    )) {
      const count = (counts.get(ownerId) ?? 0) + 1;
      if (key !== newest && (count > this.settings.vmSnapshotsPerCaller || bytes + sizeBytes > most)) surplus.push(key);
      else {
        counts.set(ownerId, count);
        bytes += sizeBytes;
      }
    }
    return surplus;
  }
}

/** What it takes on the disk: memory files are full of holes. */
async function sizeOf(directory: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(path.join(directory, name))).blocks * 512),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
