import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkBoot } from '#libs/hypervisor';
import { AppError, runProgram } from '#libs/platform';
import { writeIso } from '../../libs/builds/src/pipeline/iso/iso-writer.js';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { qemusOf } from '../support/qemu-processes.js';

jest.setTimeout(180_000); // Real guests, emulated, on a machine that may be busy.

const hypervisor = new QemuHypervisor();
const never = new AbortController().signal;
let base: string;

const makeDir = async () => {
  const dir = await mkdtemp(path.join(base, 'work-'));
  await chmod(dir, 0o755);
  return dir;
};

beforeAll(async () => {
  base = await mkdtemp('/tmp/openfactory-iso-');
  await chmod(base, 0o755);
});
afterAll(() => rm(base, { recursive: true, force: true }));

describe('an image of ours', () => {
  /** No Linux is in it: GRUB, having found its medium and read its menu from there, says that it cannot start the kernel. */
  const contents = {
    kernel: randomBytes(300_000),
    initrd: randomBytes(100_000),
    base: randomBytes(700_000),
    added: randomBytes(50_000),
  };

  async function write(more: { timeZone: string; umask: number; age: number }) {
    const workDir = await makeDir();
    const place = (name: string) => path.join(workDir, name);
    const names = Object.keys(contents) as (keyof typeof contents)[];
    // The files are made in another order each time, so that their inode numbers are as well.
    for (const name of more.age % 2 ? names : [...names].reverse()) {
      await writeFile(place(name), contents[name], { mode: 0o644 });
      await utimes(place(name), more.age, more.age);
    }
    const [timeZone, umask] = [process.env.TZ, process.umask(more.umask)];
    process.env.TZ = more.timeZone;
    try {
      const fractions: number[] = [];
      const written = await writeIso({
        ...{ kernelPath: place('kernel'), initrdPath: place('initrd'), kernelArgs: ['quiet'], menuTitle: 'A test' },
        squashfsPaths: [
          { name: 'base.squashfs', path: place('base') },
          { name: 'added.squashfs', path: place('added') },
        ],
        ...{
          imageId: 'a1b2c3d4e5f60718',
          epochSeconds: 1_760_000_000,
          workDir,
          outPath: place('image.iso'),
          signal: never,
          onProgress: (fraction) => fractions.push(fraction),
        },
      });
      return { ...written, workDir, isoPath: place('image.iso'), fractions };
    } finally {
      process.umask(umask);
      if (timeZone === undefined) delete process.env.TZ;
      else process.env.TZ = timeZone;
    }
  }

  it('is the same bit for bit, wherever and whenever it is written, and leaves nothing else', async () => {
    const first = await write({ timeZone: 'Asia/Tokyo', umask: 0o022, age: 1_000_001 });
    await sleep(2_100); // FAT counts in two seconds.
    const second = await write({ timeZone: 'America/New_York', umask: 0o077, age: 1_500_000_000 });
    expect(second.sha256).toBe(first.sha256);
    const { stdout } = await runProgram('sha256sum', [first.isoPath], { deadlineMs: 10_000 });
    expect(stdout.split(' ')[0]).toBe(first.sha256);
    expect((await readdir(second.workDir)).sort()).toEqual(['added', 'base', 'image.iso', 'initrd', 'kernel']);
    expect(first.fractions.at(-1)).toBe(1);
  });

  it.each([['bios'], ['uefi']] as const)(
    'starts its own GRUB under %s, and a kernel that is none is found out early',
    async (firmware) => {
      const { isoPath, workDir } = await write({ timeZone: 'UTC', umask: 0o077, age: 2 });
      const report = await checkBoot(
        hypervisor,
        {
          isoPath,
          firmware,
          memoryMb: 256,
          vcpus: 1,
          guestChannels: { agent: true, helper: true },
          services: [],
          workDir,
        },
        never,
      );
      expect(report).toMatchObject({
        passed: false,
        problems: [expect.stringMatching(/The system did not start: error: .*(magic|kernel|signature)/i)],
      });
      expect(report.screenshot?.subarray(1, 4).toString()).toBe('PNG');
      expect(await qemusOf(workDir)).toEqual([]);
    },
  );

  it('is not left in half when it is cancelled', async () => {
    const workDir = await makeDir();
    for (const name of ['kernel', 'initrd'])
      await writeFile(path.join(workDir, name), contents.kernel, { mode: 0o644 });
    const input = {
      kernelPath: path.join(workDir, 'kernel'),
      initrdPath: path.join(workDir, 'initrd'),
      squashfsPaths: [],
      kernelArgs: [],
      menuTitle: '',
      imageId: 'a1b2c3d4e5f60718',
      epochSeconds: 1_760_000_000,
      outPath: path.join(workDir, 'image.iso'),
      workDir,
    };
    const controller = new AbortController();
    await expect(
      writeIso({ ...input, signal: controller.signal, onProgress: () => controller.abort() }),
    ).rejects.toMatchObject({ why: 'aborted' });
    expect((await readdir(workDir)).sort()).toEqual(['initrd', 'kernel']);
    await expect(writeIso({ ...input, kernelArgs: ['a"b'], signal: never })).rejects.toBeInstanceOf(AppError);
  });
});
