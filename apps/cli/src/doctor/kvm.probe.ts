import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ProgramError, runProgram } from '#libs/platform';
import { bootSector, debugExitPort, guestExitCode } from './boot-sector.js';
import { ok, warn, type Check } from './check.js';

const name = 'KVM';
const qemu = 'qemu-system-x86_64';
const slower = 'Guests will run on emulation (TCG), many times slower.';

/** That /dev/kvm exists, or even opens, says nothing: only a guest that has run its own code does. */
export async function probeKvm(program = qemu): Promise<Check[]> {
  if (!existsSync('/dev/kvm')) return [warn(name, 'there is no /dev/kvm', `${slower} Switch virtualisation on in the firmware or for this virtual machine, and load kvm_intel or kvm_amd.`)];
  if (process.arch !== 'x64') return [warn(name, `not probed: /dev/kvm exists, but the probe's guest is for x64, this is ${process.arch}`, 'Virtual machines will find out when they start.')];
  if (!(await isInstalled(program))) return [warn(name, 'not probed: /dev/kvm exists, but qemu-system-x86 is not installed', 'Virtual machines will need it: apt-get install qemu-system-x86.')];
  const failure = await runGuest(program, 'kvm');
  if (failure === undefined) return [ok(name, 'works: a guest ran its own code')];
  return [warn(name, `does not work, although /dev/kvm exists: ${failure}`, `${slower} Check that this account may open /dev/kvm, and whether nested virtualisation is on.`)];
}

/** @returns what went wrong, or undefined where the guest's code ran */
export async function runGuest(program: string, accelerator: 'kvm' | 'tcg', deadlineMs = 10_000): Promise<string | undefined> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-kvm-'));
  try {
    const disk = path.join(dir, 'boot.img');
    await writeFile(disk, bootSector());
    const devices = ['-drive', `file=${disk},format=raw,if=floppy,readonly=on`, '-boot', 'a', '-device', `isa-debug-exit,iobase=${debugExitPort},iosize=1`];
    const args = ['-accel', accelerator, '-machine', 'pc', '-m', '16', '-smp', '1', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', ...devices];
    await runProgram(program, args, { deadlineMs, okCodes: [guestExitCode] });
    return undefined;
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return error.why === 'deadline' ? `the guest did not run its code within ${deadlineMs / 1000} s` : (error.result?.stderr.trim().split('\n').at(-1) ?? error.message);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function isInstalled(program: string): Promise<boolean> {
  return await runProgram(program, ['--version'], { deadlineMs: 10_000 }).then(
    () => true,
    () => false,
  );
}
