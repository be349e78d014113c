import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copyFile, mkdtemp, open, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeSnapshot, openSnapshot, snapshotFiles, trustSnapshot } from './snapshot-files.js';

const mebibyte = 1 << 20;
let dir: string;
const file = (name: keyof typeof snapshotFiles) => path.join(dir, snapshotFiles[name]);
const flip = async (name: keyof typeof snapshotFiles, at: number) => {
  const handle = await open(file(name), 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
  await handle.write(Buffer.of(buffer[0]! ^ 1), 0, 1, at);
  await handle.close();
};
const check = async () => {
  const { state, checked } = await openSnapshot(dir, 'print');
  await checked.finally(() => state.close());
};

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'openfactory-snapshot-'));
  await writeFile(file('state'), 'the state');
  await writeFile(file('memory'), Buffer.alloc(2 * mebibyte, 'memory'));
  await truncate(file('memory'), 5 * mebibyte);
  await writeFile(file('record'), JSON.stringify(await describeSnapshot(dir, 'print')));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('a snapshot', () => {
  it('is what was saved, also after it was copied with other times', async () => {
    await check();
    await copyFile(file('memory'), `${file('memory')}.copy`);
    await rename(`${file('memory')}.copy`, file('memory'));
    await check();
  });

  it.each([
    ['memory', 100],
    ['memory', 4 * mebibyte],
    ['state', 3],
    ['record', 30],
  ] as const)('is damaged when one bit of its %s is another, before its first use and after', async (name, at) => {
    await flip(name, at);
    await expect(check()).rejects.toMatchObject({ reason: 'snapshot_damaged' });
    await flip(name, at);
    await check();
    await flip(name, at);
    await utimes(file(name), 1, 1); // Whoever hides a change cannot hide that.
    await expect(check()).rejects.toMatchObject({ reason: 'snapshot_damaged' });
  });

  it.each(['memory', 'state', 'record'] as const)('is damaged without its %s', async (name) => {
    await rm(file(name));
    await expect(check()).rejects.toMatchObject({ reason: 'snapshot_damaged' });
  });

  it('is not read again by who saved it, until its memory was touched', async () => {
    const record = await describeSnapshot(dir, 'print');
    // A sum that reading would find wrong.
    const lie = { ...record, memory: { ...record.memory, sha256: 'f'.repeat(64) } };
    await writeFile(file('record'), JSON.stringify(lie));
    await expect(check()).rejects.toMatchObject({ reason: 'snapshot_damaged' });
    trustSnapshot(dir, lie);
    await check();
    await utimes(file('memory'), new Date(), new Date());
    await expect(check()).rejects.toMatchObject({ reason: 'snapshot_damaged' });
  });

  it('is damaged when it is longer or shorter', async () => {
    for (const size of [4 * mebibyte, 6 * mebibyte]) {
      await truncate(file('memory'), size);
      await expect(check()).rejects.toMatchObject({ reason: 'snapshot_damaged' });
    }
  });

  it('is of no use to another kind of machine', async () => {
    await expect(openSnapshot(dir, 'another')).rejects.toMatchObject({
      reason: 'snapshot_damaged',
      message: expect.stringContaining('another kind of machine'),
    });
  });
});
