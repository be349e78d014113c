import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest, GuestSpec } from '#libs/hypervisor';
import { buildAccount, productRoot, runProgram } from '#libs/platform';
import { probeAcceleration, runProbe } from '../../libs/hypervisor/src/qemu/acceleration-probe.js';
import { processorsOf } from '../../libs/hypervisor/src/qemu/host-processors.js';
import { QemuDisks } from '../../libs/hypervisor/src/qemu/qemu-disks.js';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { qemuVersion, threadsOf } from '../../libs/hypervisor/src/qemu/qemu-version.js';
import { hypervisorContract } from '../../libs/hypervisor/src/testing/hypervisor.contract.js';
import { itWhere } from '../support/it-where.js';
import { qemusOf } from '../support/qemu-processes.js';

jest.setTimeout(180_000); // Real guests, emulated, on a machine that may be busy.

const words = 'the guest speaks';
const hypervisor = new QemuHypervisor();
const never = new AbortController().signal;
let base: string;
let bootIso: string;

const makeDir = async () => {
  const dir = await mkdtemp(path.join(base, 'work-'));
  await chmod(dir, 0o755);
  return dir;
};
const spec = async () =>
  ({ isoPath: bootIso, memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir: await makeDir() }) as const;

beforeAll(async () => {
  base = await mkdtemp('/tmp/openfactory-hypervisor-');
  await chmod(base, 0o755);
  bootIso = await makeBootIso(path.join(base, 'cd'), speaks(words));
});
afterAll(() => rm(base, { recursive: true, force: true }));

/** Where the BIOS puts the sector. */
const origin = 0x7c00;
const word = (value: number) => [value & 0xff, value >> 8];
/** Prints text on the screen and on the serial port, and halts. */
const printAndHalt = (textAt: number) => [
  ...[0xbe, ...word(textAt)], // mov si, text
  ...[0xac, 0x84, 0xc0, 0x74, 0x0e], // next: lodsb; test al, al; jz done
  ...[0x50, 0xb4, 0x0e, 0x31, 0xdb, 0xcd, 0x10, 0x58], // push ax; int 10h, function 0eh; pop ax
  ...[0xba, 0xf8, 0x03, 0xee], // mov dx, 3f8h; out dx, al
  ...[0xeb, 0xed], // jmp next
  ...[0xfb, 0xf4, 0xeb, 0xfc], // done: sti; hlt; jmp done
];
const prologue = [0x31, 0xc0, 0x8e, 0xd8, 0xfc]; // ds = 0; cld
const speaks = (text: string) => {
  const textAt = origin + prologue.length + printAndHalt(0).length;
  return Buffer.from([...prologue, ...printAndHalt(textAt), ...Buffer.from(text), 0]);
};
/** Writes 32 KiB after 32 KiB to the first disk (int 13h, function 43h) until one cannot be written: then it speaks. */
const fillsDisk = (text: string) => {
  const loop = (packetAt: number) => [
    ...[0xb8, 0x00, 0x43, 0xb2, 0x80, 0xbe, ...word(packetAt), 0xcd, 0x13], // again: mov ax, 4300h; mov dl, 80h; mov si, packet; int 13h
    ...[0x72, 0x07], // jc failed
    ...[0x83, 0x06, ...word(packetAt + 8), 0x40], // add word [first sector], 64
    ...[0xeb, 0xed], // jmp again
  ];
  const packet = [0x10, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x10, ...Array<number>(8).fill(0)]; // 64 sectors from 1000h:0
  const packetAt = origin + prologue.length + loop(0).length + printAndHalt(0).length;
  return Buffer.from([
    ...prologue,
    ...loop(packetAt),
    ...printAndHalt(packetAt + packet.length),
    ...packet,
    ...Buffer.from(text),
    0,
  ]);
};

/** A CD whose whole system is one sector. */
async function makeBootIso(dir: string, code: Buffer): Promise<string> {
  const sector = Buffer.alloc(2048);
  code.copy(sector);
  await mkdir(dir);
  await writeFile(path.join(dir, 'boot.bin'), sector);
  const iso = `${dir}.iso`;
  await runProgram(
    'xorriso',
    ['-as', 'mkisofs', '-quiet', '-o', iso, '-b', 'boot.bin', '-no-emul-boot', '-boot-load-size', '4', dir],
    { deadlineMs: 30_000 },
  );
  await chmod(iso, 0o644);
  return iso;
}

/** What is in the log of its serial port. */
async function serialOf(workDir: string): Promise<string> {
  const [name] = (await readdir(workDir)).filter((entry) => entry.startsWith('serial-'));
  return name === undefined ? '' : await readFile(path.join(workDir, name), 'utf8');
}

async function until<T>(look: () => Promise<T | undefined> | T | undefined, withinMs = 60_000): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > endsAt) throw new Error('it did not come');
    await sleep(50);
  }
}

hypervisorContract('QemuHypervisor', () =>
  Promise.resolve({ hypervisor, disks: new QemuDisks(), spec, serialWords: words }),
);

describe('the probe of the acceleration', () => {
  it('says KVM only where a guest has run on it just now', async () => {
    const { kind, why } = await hypervisor.acceleration();
    const failure = await runProbe('kvm');
    expect(kind).toBe(failure === undefined ? 'kvm' : 'tcg');
    if (failure !== undefined) expect(why).toMatch(/there is no \/dev\/kvm|exists but does not work: ./);
  });

  it('sees a guest run its code on emulation, and one that had no time as failed', async () => {
    expect(await runProbe('tcg')).toBeUndefined();
    expect(await runProbe('tcg', 20)).toContain('did not run its code in time');
  });

  it('tells a host on which no guest runs at all', async () => {
    await expect(probeAcceleration(() => Promise.resolve('bwrap: no permissions'))).rejects.toMatchObject({
      reason: 'hypervisor_unavailable',
      message: expect.stringContaining('bwrap: no permissions'),
    });
    expect((await probeAcceleration((kind) => Promise.resolve(kind === 'kvm' ? 'it hangs' : undefined))).kind).toBe(
      'tcg',
    );
  });
});

describe('a running guest', () => {
  let guest: Guest;
  let pid: number;
  let workDir: string;
  const ofQemu = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8');

  beforeAll(async () => {
    const { workDir: dir, ...more } = await spec();
    workDir = dir;
    guest = await hypervisor.start({ ...more, workDir }, never);
    [pid] = (await qemusOf(workDir)) as [number];
    expect(pid).toBeGreaterThan(1);
  });
  afterAll(() => guest.quit());

  it('runs under the build account, without privileges or a way to them, its system calls filtered', async () => {
    const status = await ofQemu('status');
    const uid = (await buildAccount())?.uid ?? process.getuid?.();
    expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    for (const line of [
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
      'CapEff:\t0000000000000000',
      'CapPrm:\t0000000000000000',
      'CapBnd:\t0000000000000000',
    ])
      expect(status).toContain(`${line}\n`);
  });

  it('has namespaces of its own of every kind, and no network in them', async () => {
    for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts'])
      expect(await readlink(`/proc/${pid}/ns/${kind}`)).not.toBe(await readlink(`/proc/self/ns/${kind}`));
    const devices = (await ofQemu('net/dev')).split('\n').slice(2).filter(Boolean);
    expect(devices.map((line) => line.trim().split(':')[0])).toEqual(['lo']);
    expect((await ofQemu('net/route')).trim().split('\n')).toHaveLength(1);
  });

  it('sees of the host nothing but the programs and its own directory, and its image by descriptor only', async () => {
    expect((await readdir(`/proc/${pid}/root`)).sort()).toEqual([
      'bin',
      'dev',
      'guest',
      'lib',
      'lib64',
      'proc',
      'sockets',
      'tmp',
      'usr',
    ]);
    const mounts = (await ofQemu('mounts')).split('\n').map((line) => line.split(' '));
    const options = (place: string) => mounts.find(([, where]) => where === place)?.[3]?.split(',');
    expect(options('/usr')).toContain('ro');
    expect(options('/guest')).toContain('rw');
    expect(await ofQemu('environ')).not.toContain('OPENFACTORY');
    expect(await ofQemu('environ')).toContain('MALLOC_ARENA_MAX=1');
  });

  it('is told only names of ours', async () => {
    expect(await ofQemu('cmdline')).not.toContain(base);
  });

  it('emulates all processors in one thread, unless its version is known to do right with more', async () => {
    const { kind } = await hypervisor.acceleration();
    expect(await ofQemu('cmdline')).toContain(kind === 'kvm' ? 'kvm' : `tcg,thread=${threadsOf(await qemuVersion())},`);
  });

  it('leaves nothing but its serial log', async () => {
    const serialLog = path.basename(guest.serialLogPath);
    await guest.quit();
    expect(await qemusOf(workDir)).toEqual([]);
    expect(await readdir(workDir)).toEqual([serialLog]);
  });
});

describe('a guest whose start fails', () => {
  it('leaves nothing when cancelled on the way', async () => {
    const given = await spec();
    const controller = new AbortController();
    const reason = new Error('cancelled');
    setTimeout(() => controller.abort(reason), 30);
    await expect(hypervisor.start(given, controller.signal)).rejects.toBe(reason);
    expect(await qemusOf(given.workDir)).toEqual([]);
    expect((await readdir(given.workDir)).filter((name) => name.startsWith('guest-'))).toEqual([]);
  });

  it('works in a directory whose path is longer than a socket’s may be', async () => {
    const workDir = path.join(await makeDir(), 'x'.repeat(150));
    await mkdir(workDir, { mode: 0o755 });
    const guest = await hypervisor.start({ ...(await spec()), workDir }, never);
    await guest.quit();
  });
});

describe('a factory that is killed', () => {
  const killFactoryOf = async (given: GuestSpec) => {
    const script = path.join(given.workDir, 'factory.mjs');
    await writeFile(script, factoryScript(given));
    const factory = spawn(process.execPath, ['--conditions=of-source', '--no-warnings', script], {
      cwd: productRoot,
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [factory.stdout, factory.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    try {
      await until(() => {
        if (factory.exitCode !== null) throw new Error(output);
        return output.includes('started');
      });
      // What a guest prints while no factory is there is lost.
      await until(async () => (await serialOf(given.workDir)).includes(words));
      expect(await qemusOf(given.workDir)).toHaveLength(1);
    } finally {
      factory.kill('SIGKILL');
    }
  };

  it('takes its guests with it', async () => {
    const given = await spec();
    await killFactoryOf(given);
    await until(async () => (await qemusOf(given.workDir)).length === 0, 10_000);
    expect(await hypervisor.adopt(given.workDir)).toBeUndefined();
    expect((await readdir(given.workDir)).filter((name) => name.startsWith('guest'))).toEqual([]);
  });

  it('leaves those that are to live on, which the next one finds, uses and ends', async () => {
    const given = { ...(await spec()), survives: true, onReset: 'restart', uidIndex: 3 } as const;
    await killFactoryOf(given);
    const [pid] = await qemusOf(given.workDir);
    const guest = await until(() => hypervisor.adopt(given.workDir));
    expect(await qemusOf(given.workDir)).toEqual([pid]);
    expect((await guest.screenshot()).subarray(1, 4).toString()).toBe('PNG');
    await until(() => guest.serialText().includes(words) || undefined);
    (await guest.openScreen()).destroy();
    const next = await spec();
    const beside = await hypervisor.start(next, never);
    if (processorsOf('self').length > 1)
      expect(processorsOf((await qemusOf(next.workDir))[0]!)).not.toEqual(processorsOf(pid!));
    await beside.quit();
    await guest.quit();
    expect(await guest.ended).toMatchObject({ why: 'quit' });
    expect(await qemusOf(given.workDir)).toEqual([]);
    expect((await readdir(given.workDir)).filter((name) => name.startsWith('guest'))).toEqual([]);
  });

  it('leaves one whose end the next factory sees, and every pending call with it', async () => {
    const given = { ...(await spec()), survives: true } as const;
    await killFactoryOf(given);
    const guest = await until(() => hypervisor.adopt(given.workDir));
    const pending = expect(guest.waitForAgent(never)).rejects.toMatchObject({ reason: 'guest_ended' });
    process.kill((await qemusOf(given.workDir))[0]!, 'SIGKILL');
    await pending;
    expect(await guest.ended).toMatchObject({ why: 'failed' });
  });

  it.each([
    ['without a record', (workDir: string) => rm(path.join(workDir, 'guest.json'))],
    [
      'whose record names another start of its process',
      async (workDir: string) => {
        const file = path.join(workDir, 'guest.json');
        await writeFile(file, (await readFile(file, 'utf8')).replaceAll('"startedAt":', '"startedAt":1'));
      },
    ],
  ])('leaves nothing of a guest %s', async (_what, change) => {
    const given = { ...(await spec()), survives: true } as const;
    await killFactoryOf(given);
    await change(given.workDir);
    expect(await hypervisor.adopt(given.workDir)).toBeUndefined();
    expect(await qemusOf(given.workDir)).toEqual([]);
  });

  it('leaves alone what is another factory’s, by whatever names: two that build one recipe have the same', async () => {
    const given = { ...(await spec()), survives: true } as const;
    await killFactoryOf(given);
    await rm(path.join(given.workDir, 'guest.json'));
    const [place] = (await readdir(given.workDir)).filter((name) => name.startsWith('guest-'));
    const namesake = path.join(given.workDir, 'another-factory', path.basename(given.workDir));
    await mkdir(path.join(namesake, place!, 'own'), { recursive: true });
    expect(await hypervisor.adopt(namesake)).toBeUndefined();
    expect(await qemusOf(given.workDir)).toHaveLength(1);
    expect(await readdir(namesake)).toEqual([]);
    expect(await hypervisor.adopt(given.workDir)).toBeUndefined();
    expect(await qemusOf(given.workDir)).toEqual([]);
  });
});

const isRoot = process.getuid?.() === 0;
describe('guests with accounts of their own', () => {
  itWhere(isRoot, 'only root has accounts to give')(
    'have accounts of their own, and cannot read each other’s files',
    async () => {
      const [one, other] = [await spec(), await spec()];
      const guests = await Promise.all([
        hypervisor.start({ ...one, uidIndex: 11, savable: true }, never),
        hypervisor.start({ ...other, uidIndex: 12 }, never),
      ]);
      try {
        const [dir] = (await readdir(one.workDir)).filter((name) => name.startsWith('guest-'));
        const uidOf = async (workDir: string) =>
          Number(/^Uid:\t(\d+)/m.exec(await readFile(`/proc/${(await qemusOf(workDir))[0]}/status`, 'utf8'))![1]);
        const [uid, otherUid] = [await uidOf(one.workDir), await uidOf(other.workDir)];
        expect(otherUid).toBe(uid + 1);
        const memory = path.join(one.workDir, dir!, 'own/memory');
        const readAs = (account: number) =>
          runProgram('head', ['-c', '1', memory], { deadlineMs: 10_000, account: { uid: account, gid: account } });
        await readAs(uid);
        await expect(readAs(otherUid)).rejects.toThrow('Permission denied');
        // Not even its own: what the factory connects to is out of its reach.
        await expect(
          runProgram('rm', ['-f', path.join(one.workDir, dir!, 'sockets/screen.sock')], {
            deadlineMs: 10_000,
            account: { uid, gid: uid },
          }),
        ).rejects.toThrow('Permission denied');
      } finally {
        await Promise.all(guests.map((guest) => guest.quit()));
      }
    },
  );

  it('are held to memory and processes of their size', async () => {
    const { workDir, ...more } = await spec();
    const guest = await hypervisor.start({ ...more, workDir, uidIndex: 13 }, never);
    try {
      const limits = await readFile(`/proc/${(await qemusOf(workDir))[0]}/limits`, 'utf8');
      // 64 MiB and one processor of its own, 4,352 MiB and 256 tasks for QEMU.
      expect(limits).toMatch(/^Max address space +4630511616 +4630511616 +bytes/m);
      expect(limits).toMatch(/^Max processes +257 +257 +processes/m);
      expect(limits).toMatch(/^Max core file size +0 +0 +bytes/m);
    } finally {
      await guest.quit();
    }
  });

  it('are held to as many of the host’s processors as they have, each to others', async () => {
    const [one, other] = [await spec(), await spec()];
    const tasksOf = async (workDir: string) => {
      const [qemu] = await qemusOf(workDir);
      return (await readdir(`/proc/${qemu}/task`)).map(Number);
    };
    const first = await hypervisor.start({ ...one, vcpus: 1 }, never);
    const second = await hypervisor.start({ ...other, vcpus: 1 }, never);
    try {
      const own = processorsOf('self');
      const [ofFirst, ofSecond] = (await Promise.all([tasksOf(one.workDir), tasksOf(other.workDir)])).map((tasks) =>
        tasks.map(processorsOf),
      );
      expect(ofFirst!.length).toBeGreaterThan(2);
      for (const tasks of [ofFirst!, ofSecond!]) expect(tasks).toEqual(tasks.map(() => [expect.any(Number)]));
      if (own.length > 1) expect(ofFirst![0]).not.toEqual(ofSecond![0]);
    } finally {
      await Promise.all([first.quit(), second.quit()]);
    }
  });
});

describe('a guest whose host has no room left', () => {
  itWhere(isRoot, 'only root may mount a small file system')('is told so by its disk, and runs on', async () => {
    const isoPath = await makeBootIso(path.join(base, 'filler'), fillsDisk('no room'));
    const given = await spec();
    await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=755', 'tmpfs', given.workDir], {
      deadlineMs: 10_000,
    });
    try {
      const diskPath = path.join(given.workDir, 'disk.qcow2');
      await new QemuDisks().createPersistent(diskPath, { label: 'small', sizeBytes: 64 << 20 });
      const guest = await hypervisor.start({ ...given, isoPath, diskPath }, never);
      try {
        await until(() => guest.serialText().includes('no room') || undefined, 120_000);
        expect((await guest.screenshot()).subarray(1, 4).toString()).toBe('PNG');
        expect((await statfs(given.workDir)).bavail).toBeLessThan(20);
      } finally {
        await guest.quit();
      }
      expect(await guest.ended).toMatchObject({ why: 'quit' });
      // What it is made of is whole still.
      expect(await new QemuDisks().listSnapshots(diskPath)).toEqual([]);
    } finally {
      await runProgram('umount', [given.workDir], { deadlineMs: 10_000 });
    }
  });
});

/** Starts a guest and waits, in a process that can be killed: the sources are compiled as they are loaded. */
function factoryScript(given: object): string {
  const hypervisorFile = path.join(productRoot, 'libs/hypervisor/src/qemu/qemu-hypervisor.ts');
  return `
import { createRequire, registerHooks } from 'node:module';
import { readFileSync } from 'node:fs';
const require = createRequire(${JSON.stringify(path.join(productRoot, 'package.json'))});
const { transformSync } = require('@swc/core');
const options = { swcrc: false, ...JSON.parse(readFileSync(${JSON.stringify(path.join(productRoot, '.swcrc'))}, 'utf8')), sourceMaps: false };
delete options.$schema;
registerHooks({
  resolve: (name, context, next) => next(name.startsWith('.') && context.parentURL?.endsWith('.ts') ? name.replace(/\\.js$/, '.ts') : name, context),
  load: (url, context, next) => url.endsWith('.ts') ? { format: 'module', shortCircuit: true, source: transformSync(readFileSync(new URL(url), 'utf8'), options).code } : next(url, context),
});
require('reflect-metadata');
const { QemuHypervisor } = await import(${JSON.stringify(hypervisorFile)});
await new QemuHypervisor().start(${JSON.stringify(given)}, new AbortController().signal);
console.log('started');
setInterval(() => undefined, 1000);
`;
}
