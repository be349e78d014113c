import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readRecord, removeRecord, writeRecord, type GuestRecord } from './guest-record.js';

let workDir: string;
beforeEach(async () => void (workDir = await mkdtemp(path.join(tmpdir(), 'openfactory-record-'))));
afterEach(() => rm(workDir, { recursive: true, force: true }));
const record = (): GuestRecord => ({
  spec: { memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir, survives: true },
  processes: { launcher: { pid: 100, startedAt: 5 }, qemu: { pid: 101, startedAt: 6 } },
  place: 'guest-abc',
  serialLog: 'serial-abc.log',
  closedPorts: [{ port: 'helper', why: 'It flooded.' }],
});

describe('the record of a guest', () => {
  it('is read as it was written, and leaves nothing beside it', async () => {
    await writeRecord(record());
    expect(await readRecord(workDir)).toEqual(record());
    expect(await readdir(workDir)).toEqual(['guest.json']);
    await removeRecord(workDir);
    await removeRecord(workDir);
    expect(await readRecord(workDir)).toBeUndefined();
  });

  it('is understood as factories before wrote it', async () => {
    const { spec, closedPorts: _none, ...others } = record();
    await writeFile(
      path.join(workDir, 'guest.json'),
      JSON.stringify({ version: 1, ...others, spec: { ...spec, slot: 3 } }),
    );
    expect(await readRecord(workDir)).toEqual({ ...record(), closedPorts: [], spec: { ...spec, uidIndex: 3 } });
  });

  it('follows its directory', async () => {
    await writeRecord(record());
    await rename(workDir, `${workDir}-moved`);
    workDir = `${workDir}-moved`;
    expect((await readRecord(workDir))?.spec.workDir).toBe(workDir);
  });

  it.each([
    ['half', (text: string) => text.slice(0, 40)],
    ['of another version', (text: string) => text.replace('"version":1', '"version":2')],
    ['without processes', (text: string) => text.replace('"processes"', '"was"')],
    ['of a process that is all of them', (text: string) => text.replace('"pid":101', '"pid":-1')],
    ['of a process that is none', (text: string) => text.replace('"pid":100', '"pid":"100"')],
    ['of a directory elsewhere', (text: string) => text.replace('guest-abc', '../../etc')],
  ])('is none when it is %s', async (_what, change) => {
    await writeRecord(record());
    const file = path.join(workDir, 'guest.json');
    await writeFile(file, change(await readFile(file, 'utf8')));
    expect(await readRecord(workDir)).toBeUndefined();
  });
});
