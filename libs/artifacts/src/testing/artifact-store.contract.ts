import { createHash, randomUUID } from 'node:crypto';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { ArtifactStore } from '../artifact-store.port.js';

/** What every ArtifactStore must do. */
export function artifactStoreContract(open: (directory: string) => ArtifactStore): void {
  let directory: string;
  let store: ArtifactStore;
  let group: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'openfactory-artifacts-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  beforeEach(() => {
    store = open(path.join(directory, `store-${randomUUID()}`));
    group = randomUUID();
  });
  const made = async (text: string) => {
    const file = path.join(directory, randomUUID());
    await writeFile(file, text);
    return {
      group,
      path: file,
      sha256: createHash('sha256').update(text).digest('hex'),
      sizeBytes: Buffer.byteLength(text),
    };
  };
  const textOf = async (key: string, range?: { first: number; last: number }) =>
    Buffer.concat(await (await store.open(key, range)).toArray()).toString();
  const gone = (file: string) =>
    access(file).then(
      () => false,
      () => true,
    );

  it('takes a file over and gives it back, whole or in part', async () => {
    const artifact = await made('0123456789');
    const stored = await store.put(artifact);
    expect(stored).toEqual({
      key: expect.stringMatching(/^[0-9a-f-]{36}\/[0-9a-f-]{36}$/),
      sizeBytes: 10,
      sha256: artifact.sha256,
    });
    expect(await gone(artifact.path)).toBe(true);
    expect(await textOf(stored.key)).toBe('0123456789');
    expect(await textOf(stored.key, { first: 2, last: 4 })).toBe('234');
    expect(await store.stat(stored.key)).toEqual({ sizeBytes: 10 });
    const local = await store.localPath(stored.key);
    if (local !== undefined) expect(await readFile(local, 'utf8')).toBe('0123456789');
    expect(await store.localPath(`${group}/${randomUUID()}`)).toBeUndefined();
  });

  it('keeps nothing that is not what was said, and leaves the file', async () => {
    for (const lie of [{ sha256: '0'.repeat(64) }, { sizeBytes: 3 }]) {
      const artifact = await made('abc\n');
      await expect(store.put({ ...artifact, ...lie })).rejects.toMatchObject({ reason: 'artifact_mismatch' });
      expect(await gone(artifact.path)).toBe(false);
    }
    expect((await store.usage()).reduce((sum, { count }) => sum + count, 0)).toBe(0);
  });

  it('stops when told to', async () => {
    await expect(store.put(await made('abc'), AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect((await store.usage()).reduce((sum, { count }) => sum + count, 0)).toBe(0);
  });

  it('deletes, again and again, and tells what is used', async () => {
    const one = await store.put(await made('one'));
    const two = await store.put(await made('two!'));
    expect(await store.usage()).toEqual([{ group, count: 2, sizeBytes: 7, changedAt: expect.any(Date) }]);
    await store.delete(one.key);
    await store.delete(one.key);
    expect(await store.stat(one.key)).toBeUndefined();
    await expect(store.open(one.key)).rejects.toMatchObject({ reason: 'artifact_not_found' });
    await store.deleteGroup(group);
    await store.deleteGroup(group);
    expect(await store.stat(two.key)).toBeUndefined();
    expect(await store.usage()).toEqual([]);
  });
}
