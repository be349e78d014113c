import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterHostTime, asText, clip, hostTooSlow, killGroup } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { Acceleration } from '../hypervisor.port.js';
import { spawnConfined } from './confinement.js';
import { guestAccount } from './guest-account.js';
import { debugExitPort, probeExitCode, probeDisk } from './probe-sector.js';
import { machineArguments, qemuProgram } from './qemu-command.js';

const usualMs = 15_000;
/** Of what the guest took on emulation, which is many times slower: on KVM one that is not there by then never will be. */
const farBeyond = 30;

/**
 * That /dev/kvm exists, or even opens, says nothing: only a guest that ran its own code does, confined as every guest is. Without KVM the same
 * guest must run on emulation: otherwise it is not KVM that is broken. What is found is remembered for the life of the process, so that somebody
 * was late is never taken for it: on KVM it counts against what the same guest took on emulation, at that very moment.
 * @throws AppError `hypervisor_unavailable` where no guest runs at all, `host_too_slow` where none came to its end
 */
export async function probeAcceleration(probe: Probe = runProbe, absent = findWhyNot()): Promise<Acceleration> {
  const failure = absent ?? (await probe('kvm'));
  if (failure === undefined) return { kind: 'kvm', why: 'a guest ran its own code on it' };
  const began = performance.now();
  const emulated = await probe('tcg');
  if (emulated === late) throw hostTooSlow(`No virtual machine ran its code within ${usualMs / 1000} s.`);
  if (emulated !== undefined)
    throw guestError('hypervisor_unavailable', `No virtual machine runs on this host: ${emulated}.`, {
      hint: 'Run "openfactory doctor"; qemu-system-x86 and bubblewrap must be installed, and user namespaces allowed.',
    });
  if (absent !== undefined) return { kind: 'tcg', why: absent };
  const again =
    failure === late ? await probe('kvm', Math.max(usualMs, farBeyond * (performance.now() - began))) : failure;
  return again === undefined
    ? { kind: 'kvm', why: 'a guest ran its own code on it' }
    : { kind: 'tcg', why: `/dev/kvm exists but does not work: ${again}` };
}

function findWhyNot(): string | undefined {
  if (process.arch !== 'x64') return `guests are for amd64, this machine is ${process.arch}`;
  return existsSync('/dev/kvm') ? undefined : 'there is no /dev/kvm';
}

export const late = 'the guest did not run its code in time';
type Probe = (kind: Acceleration['kind'], deadlineMs?: number) => Promise<string | undefined>;

/** @returns what went wrong, or undefined where the guest's code ran */
export async function runProbe(kind: Acceleration['kind'], deadlineMs = usualMs): Promise<string | undefined> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-kvm-'));
  try {
    await chmod(dir, 0o755);
    const disk = path.join(dir, 'disk');
    await writeFile(disk, probeDisk());
    await chmod(disk, 0o644);
    return await runToEnd(kind, disk, deadlineMs);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function runToEnd(kind: Acceleration['kind'], disk: string, deadlineMs: number): Promise<string | undefined> {
  const block = JSON.stringify({
    driver: 'raw',
    'node-name': 'disk',
    'read-only': true,
    file: { driver: 'file', filename: '/disk' },
  });
  const devices = [
    '-blockdev',
    block,
    '-device',
    JSON.stringify({ driver: 'virtio-blk-pci', drive: 'disk', bootindex: 0 }),
    '-device',
    `isa-debug-exit,iobase=${debugExitPort},iosize=1`,
  ];
  const child = spawnConfined(
    qemuProgram,
    [...machineArguments(kind, 'single'), '-no-reboot', '-m', '32', '-smp', '1', ...devices],
    { readOnly: { [disk]: '/disk' }, kvm: kind === 'kvm' },
    { account: await guestAccount() },
  );
  return await new Promise((resolve) => {
    let words = '';
    let isLate = false;
    child.stdin?.on('error', () => undefined).end();
    child.stdout?.resume();
    child.stderr?.on(
      'data',
      asText((text) => (words = `${words}${text}`.slice(-2_000))),
    );
    const stopClock = afterHostTime(deadlineMs, () => {
      isLate = true;
      killGroup(child, 100);
    });
    child.on('error', (error) => (words = error.message));
    child.on('close', (code, signal) => {
      stopClock();
      if (code === probeExitCode) return resolve(undefined);
      if (isLate) return resolve(late);
      resolve(clip(words.trim().split('\n').at(-1) || `QEMU ended with ${signal ?? `code ${code}`}`, 200));
    });
  });
}
