import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { clip, killGroup } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { Acceleration } from '../hypervisor.port.js';
import { spawnConfined } from './confinement.js';
import { guestAccount } from './guest-account.js';
import { debugExitPort, probeExitCode, probeDisk } from './probe-sector.js';
import { machineArguments, qemuProgram } from './qemu-command.js';

/**
 * That /dev/kvm exists, or even opens, says nothing: only a guest that ran its own code does, confined as every guest is. Without KVM the same
 * guest must run on emulation: otherwise it is not KVM that is broken.
 * @throws AppError `hypervisor_unavailable` where no guest runs at all
 */
export async function probeAcceleration(probe = runProbe): Promise<Acceleration> {
  const why = await findWhyNot(probe);
  if (why === undefined) return { kind: 'kvm', why: 'a guest ran its own code on it' };
  const failure = await probe('tcg');
  if (failure === undefined) return { kind: 'tcg', why };
  throw guestError('hypervisor_unavailable', `No virtual machine runs on this host: ${failure}.`, { hint: 'Run "openfactory doctor"; qemu-system-x86 and bubblewrap must be installed, and user namespaces allowed.' });
}

async function findWhyNot(probe: typeof runProbe): Promise<string | undefined> {
  if (process.arch !== 'x64') return `guests are for amd64, this machine is ${process.arch}`;
  if (!existsSync('/dev/kvm')) return 'there is no /dev/kvm';
  const failure = await probe('kvm');
  return failure && `/dev/kvm exists but does not work: ${failure}`;
}

/** @returns what went wrong, or undefined where the guest's code ran */
export async function runProbe(kind: Acceleration['kind'], deadlineMs = 15_000): Promise<string | undefined> {
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
  const block = JSON.stringify({ driver: 'raw', 'node-name': 'disk', 'read-only': true, file: { driver: 'file', filename: '/disk' } });
  const devices = ['-blockdev', block, '-device', JSON.stringify({ driver: 'virtio-blk-pci', drive: 'disk', bootindex: 0 }), '-device', `isa-debug-exit,iobase=${debugExitPort},iosize=1`];
  const child = spawnConfined(qemuProgram, [...machineArguments(kind, 'single'), '-no-reboot', '-m', '32', '-smp', '1', ...devices], { readOnly: { [disk]: '/disk' }, kvm: kind === 'kvm' }, { account: await guestAccount() });
  return await new Promise((resolve) => {
    let words = '';
    let late = false;
    child.stdin?.on('error', () => undefined).end();
    child.stdout?.resume();
    child.stderr?.on('data', (chunk: Buffer) => (words = `${words}${chunk.toString()}`.slice(-2_000)));
    const timer = setTimeout(() => {
      late = true;
      killGroup(child, 100);
    }, deadlineMs);
    child.on('error', (error) => (words = error.message));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === probeExitCode) return resolve(undefined);
      if (late) return resolve(`the guest did not run its code within ${deadlineMs / 1000} s`);
      resolve(clip(words.trim().split('\n').at(-1) || `QEMU ended with ${signal ?? `code ${code}`}`, 200));
    });
  });
}
