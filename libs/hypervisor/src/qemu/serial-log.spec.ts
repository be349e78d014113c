import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { SerialLog } from './serial-log.js';

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(path.join(tmpdir(), 'openfactory-serial-'))));
afterAll(() => rm(dir, { recursive: true, force: true }));

const settle = () => new Promise((resolve) => setTimeout(resolve, 50));

describe('SerialLog', () => {
  it('keeps the beginning in the file and the end in memory, however much comes', async () => {
    const stream = new PassThrough();
    const file = path.join(dir, 'flood.log');
    const log = new SerialLog(stream, file, { fileBytes: 100, tailBytes: 20 });
    for (let index = 0; index < 5_000; index++) stream.write(`line ${index}\n`);
    stream.end();
    await log.done;
    expect(log.text().endsWith('line 4999\n')).toBe(true);
    expect(log.text()).toHaveLength(20);
    const kept = await readFile(file, 'utf8');
    expect(kept.startsWith('line 0\nline 1\n')).toBe(true);
    expect(kept).toContain('[the log ends here: 100 bytes]');
    expect(kept.length).toBeLessThan(150);
  });

  it('goes on where another factory was killed, within the same cap', async () => {
    const file = path.join(dir, 'taken-over.log');
    await writeFile(file, 'first words\n');
    const stream = new PassThrough();
    const log = new SerialLog(stream, file, { fileBytes: 20, tailBytes: 100 }, { goesOn: true });
    stream.write('more words of it');
    await settle();
    stream.destroy();
    await log.done;
    expect(log.text()).toBe('first words\nmore words of it');
    expect(await readFile(file, 'utf8')).toBe('first words\nmore wor\n[the log ends here: 20 bytes]\n');
  });

  it('writes through no link, and loses the log rather than the guest', async () => {
    const precious = path.join(dir, 'precious');
    await writeFile(precious, 'precious');
    await symlink(precious, path.join(dir, 'planted.log'));
    const stream = new PassThrough();
    const log = new SerialLog(stream, path.join(dir, 'planted.log'));
    stream.write('words');
    await settle();
    expect(await readFile(precious, 'utf8')).toBe('precious');
    expect(log.text()).toBe('words');
  });
});
