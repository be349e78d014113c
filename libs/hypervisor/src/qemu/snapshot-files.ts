import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { guestError } from '../guest-error.js';

/** What a snapshot's directory holds. `overlay` is the empty layer over the disk that each clone begins with. */
export const snapshotFiles = {
  memory: 'memory',
  state: 'state',
  disk: 'disk.qcow2',
  overlay: 'overlay.qcow2',
  record: 'snapshot.json',
};
const version = 1;
const chunkBytes = 1 << 20;

/** By which a change of a file shows without reading it: nobody but root can set a file's ctime. */
interface FileMark {
  inode: string;
  sizeBytes: string;
  changedNs: string;
  modifiedNs: string;
}

export interface SnapshotRecord {
  version: number;
  /** Of the shape and the hypervisor that it was taken with. */
  fingerprint: string;
  state: { sizeBytes: number; sha256: string };
  memory: FileMark & { sha256: string };
}

/** Memory whose sum was right in this process, by its mark. */
const trusted = new Map<string, string>();

export async function describeSnapshot(dir: string, fingerprint: string): Promise<SnapshotRecord> {
  const memoryPath = path.join(dir, snapshotFiles.memory);
  const [mark, memorySum, state] = [
    await markOf(memoryPath),
    await sha256Of(memoryPath),
    await readFile(path.join(dir, snapshotFiles.state)),
  ];
  return {
    version,
    fingerprint,
    state: { sizeBytes: state.length, sha256: createHash('sha256').update(state).digest('hex') },
    memory: { ...mark, sha256: memorySum },
  };
}

/** For who has described a snapshot just now, at the place where it stands for good: as long as its mark stays, it need not be read again. */
export function trustSnapshot(dir: string, { memory: { sha256, ...mark } }: SnapshotRecord): void {
  trusted.set(path.resolve(dir, snapshotFiles.memory), trustOf(sha256, mark));
}

export interface OpenSnapshot {
  /** At its beginning. For the caller to close, when it is checked. */
  state: FileHandle;
  memoryPath: string;
  /** Settles when both are known to be what was saved: until then nothing may go on from them. Rejects with AppError `snapshot_damaged`. */
  checked: Promise<void>;
}

/**
 * Opens a snapshot, and begins to check it against what was recorded of it. Its memory is read in whole at the first use in a process that did not save it, and where its
 * mark has changed; else the mark is enough.
 * @throws AppError `snapshot_damaged`
 */
export async function openSnapshot(dir: string, fingerprint: string): Promise<OpenSnapshot> {
  const record = await readRecord(dir);
  if (record.fingerprint !== fingerprint)
    throw damaged('was taken of another kind of machine, or by another version of the hypervisor');
  const memoryPath = path.join(dir, snapshotFiles.memory);
  const state = await openPlain(path.join(dir, snapshotFiles.state)).catch(() => {
    throw damaged('has lost its state');
  });
  const checked = checkState(state, record).then(() => checkMemory(memoryPath, record));
  checked.catch(() => undefined);
  return { state, memoryPath, checked };
}

async function readRecord(dir: string): Promise<SnapshotRecord> {
  try {
    const record = JSON.parse(await readFile(path.join(dir, snapshotFiles.record), 'utf8')) as SnapshotRecord;
    if (
      record.version === version &&
      typeof record.memory.sha256 === 'string' &&
      typeof record.state.sha256 === 'string'
    )
      return record;
  } catch {
    // As one that makes no sense.
  }
  throw damaged('has no record that can be read');
}

async function checkState(state: FileHandle, { state: { sizeBytes, sha256 } }: SnapshotRecord): Promise<void> {
  const { size } = await state.stat();
  // Read by place: the descriptor stays at its beginning, where QEMU goes on.
  const bytes = size === sizeBytes ? (await state.read(Buffer.alloc(size), 0, size, 0)).buffer : Buffer.alloc(0);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw damaged('has another state than was saved');
}

async function checkMemory(memoryPath: string, { memory: { sha256, ...recorded } }: SnapshotRecord): Promise<void> {
  const mark = await markOf(memoryPath).catch(() => undefined);
  const key = path.resolve(memoryPath);
  if (mark && trusted.get(key) === trustOf(sha256, mark)) return;
  if (mark?.sizeBytes !== recorded.sizeBytes || (await sha256Of(memoryPath)) !== sha256)
    throw damaged('has another memory than was saved');
  trusted.set(key, trustOf(sha256, mark));
}

const trustOf = (sha256: string, { inode, sizeBytes, changedNs, modifiedNs }: FileMark) =>
  [sha256, inode, sizeBytes, changedNs, modifiedNs].join(' ');

async function markOf(file: string): Promise<FileMark> {
  const { ino, size, ctimeNs, mtimeNs } = await stat(file, { bigint: true });
  return { inode: String(ino), sizeBytes: String(size), changedNs: String(ctimeNs), modifiedNs: String(mtimeNs) };
}

/** Over the places and contents of all chunks that hold anything: most of a machine's memory is empty, and need not be hashed. */
async function sha256Of(file: string): Promise<string> {
  const handle = await openPlain(file);
  try {
    const { size } = await handle.stat();
    const hash = createHash('sha256').update(`${size}\n`);
    const chunk = Buffer.alloc(chunkBytes);
    for (let at = 0; at < size; at += chunkBytes)
      addChunk(hash, at, chunk.subarray(0, (await handle.read(chunk, 0, chunkBytes, at)).bytesRead));
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}

const empty = Buffer.alloc(chunkBytes);
function addChunk(hash: Hash, at: number, chunk: Buffer): void {
  if (chunk.equals(empty.subarray(0, chunk.length))) return;
  hash.update(`${at} ${chunk.length}\n`).update(chunk);
}

const openPlain = (file: string) => open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
const damaged = (what: string) => guestError('snapshot_damaged', `The snapshot ${what}.`);
