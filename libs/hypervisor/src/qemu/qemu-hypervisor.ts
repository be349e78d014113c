import { chmod, chown, copyFile, mkdtemp, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppError, type Account } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { Hypervisor, type Acceleration, type Guest, type GuestSpec } from '../hypervisor.port.js';
import { probeAcceleration } from './acceleration-probe.js';
import { guestAccount, spawnConfined } from './confinement.js';
import { GuestAgentClient } from './guest-agent-client.js';
import { GuestHelperClient } from './guest-helper-client.js';
import { addressBytes, firmware, guestArguments, qemuProgram, seen } from './qemu-command.js';
import { QemuGuest } from './qemu-guest.js';
import { QemuProcess } from './qemu-process.js';
import { QmpClient } from './qmp-client.js';
import { SerialLog } from './serial-log.js';

@Injectable()
export class QemuHypervisor extends Hypervisor {
  #acceleration: Promise<Acceleration> | undefined;

  async acceleration(): Promise<Acceleration> {
    this.#acceleration ??= probeAcceleration();
    try {
      return await this.#acceleration;
    } catch (error) {
      this.#acceleration = undefined;
      throw asUnavailable(error);
    }
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<Guest> {
    signal.throwIfAborted();
    checkSpec(spec);
    const { kind } = await this.acceleration();
    const account = await guestAccount();
    const dir = await mkdtemp(path.join(spec.workDir, 'guest-'));
    let qemu: QemuProcess | undefined;
    const onAbort = () => void qemu?.kill();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await prepare(dir, spec, account);
      const readOnly = spec.isoPath === undefined ? {} : { [await realpath(spec.isoPath)]: seen.iso };
      const confinement = { writableDir: dir, readOnly, kvm: kind === 'kvm', addressBytes: addressBytes(spec) };
      signal.throwIfAborted();
      qemu = new QemuProcess(spawnConfined(qemuProgram, guestArguments(spec, kind), confinement, account));
      const serial = new SerialLog(qemu.output, path.join(spec.workDir, `serial-${path.basename(dir).slice('guest-'.length)}.log`));
      const qmp = await QmpClient.connect(await qemu.connect(dir, path.basename(seen.qmp), signal), { deadlineMs: 20_000 });
      const agent = new GuestAgentClient(await qemu.connect(dir, path.basename(seen.agent), signal));
      const helper = new GuestHelperClient(await qemu.connect(dir, path.basename(seen.helper), signal));
      await qmp.call('cont');
      signal.throwIfAborted();
      return new QemuGuest({ process: qemu, qmp, agent, helper, serial, dir });
    } catch (error) {
      await qemu?.kill();
      await rm(dir, { recursive: true, force: true });
      signal.throwIfAborted();
      throw asUnavailable(error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** The directory QEMU may write is its account's alone; the firmware's variables are the guest's own copy. */
async function prepare(dir: string, { firmware: kind }: GuestSpec, account: Account | undefined): Promise<void> {
  await chmod(dir, 0o700);
  if (kind === 'uefi') {
    const variables = path.join(dir, path.basename(seen.variables));
    await copyFile(firmware.variables, variables);
    await chmod(variables, 0o600);
    if (account) await chown(variables, account.uid, account.gid);
  }
  if (account) await chown(dir, account.uid, account.gid);
}

function checkSpec({ memoryMb, vcpus }: GuestSpec): void {
  const isWithin = (value: number, most: number) => Number.isSafeInteger(value) && value >= 1 && value <= most;
  if (!isWithin(memoryMb, 1 << 20) || !isWithin(vcpus, 255)) throw new AppError({ kind: 'internal', reason: 'guest_spec_invalid', message: 'Memory and processors of a guest are whole numbers of at least one.' });
}

function asUnavailable(error: unknown): unknown {
  if (error instanceof AppError) return error;
  return guestError('hypervisor_unavailable', 'The virtual machine could not be started.', { hint: 'Run "openfactory doctor".', cause: error });
}
