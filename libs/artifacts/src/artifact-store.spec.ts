import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FileSystemArtifactStore } from './file-system/file-system-artifact-store.js';
import { artifactStoreContract } from './testing/artifact-store.contract.js';
import { FakeArtifactStore } from './testing/fake-artifact-store.js';

describe('FileSystemArtifactStore', () => artifactStoreContract((directory) => new FileSystemArtifactStore(directory)));
describe('FakeArtifactStore', () => artifactStoreContract(() => new FakeArtifactStore()));

describe('on the disk', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'openfactory-artifacts-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const sha256 = createHash('sha256').update('abc').digest('hex');

  it('is readable by the factory alone', async () => {
    const group = randomUUID();
    await writeFile(path.join(directory, 'made'), 'abc', { mode: 0o666 });
    const { key } = await new FileSystemArtifactStore(path.join(directory, 'store')).put({
      group,
      path: path.join(directory, 'made'),
      sha256,
      sizeBytes: 3,
    });
    expect(await new FileSystemArtifactStore(path.join(directory, 'store')).localPath(key)).toBe(
      path.join(directory, 'store', key),
    );
    expect((await stat(path.join(directory, 'store', key))).mode & 0o777).toBe(0o600);
    expect(await readdir(path.join(directory, 'store', group))).toHaveLength(1);
  });

  it('follows no link and takes nothing but files', async () => {
    await writeFile(path.join(directory, 'target'), 'abc');
    await symlink('target', path.join(directory, 'link'));
    const store = new FileSystemArtifactStore(path.join(directory, 'store'));
    await expect(
      store.put({ group: randomUUID(), path: path.join(directory, 'link'), sha256, sizeBytes: 3 }),
    ).rejects.toMatchObject({ code: 'ELOOP' });
    await expect(store.put({ group: randomUUID(), path: directory, sha256, sizeBytes: 3 })).rejects.toMatchObject({
      reason: 'artifact_mismatch',
    });
  });

  it.each(['../../etc/passwd', 'a/b', '', `${randomUUID()}/../x`, `${randomUUID()}/${randomUUID()}/x`])(
    'makes no path of %j',
    async (key) => {
      const store = new FileSystemArtifactStore(directory);
      await expect(store.open(key)).rejects.toThrow('is not');
      await expect(store.deleteGroup(key)).rejects.toThrow('is not a group');
    },
  );
});
