import { rm } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { Hypervisor, type Acceleration, type Guest, type GuestShape, type GuestSpec } from '../hypervisor.port.js';
import { probeAcceleration } from './acceleration-probe.js';
import { fingerprint } from './fingerprint.js';
import { adoptGuest } from './guest-adoption.js';
import { asUnavailable, callMs, launch, shapeOf } from './guest-launch.js';
import { baseOf } from './runtime-directory.js';
import { HostProcessors } from './host-processors.js';
import { cardId, hasCard } from './qemu-command.js';
import { QemuGuest } from './qemu-guest.js';
import { goOn, layDisk, saveGuest } from './qemu-snapshots.js';
import type { QmpClient } from './qmp-client.js';
import { openSnapshot } from './snapshot-files.js';

@Injectable()
export class QemuHypervisor extends Hypervisor {
  readonly #host = new HostProcessors();
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
    const { kind } = await this.acceleration();
    return await launch({
      spec,
      acceleration: kind,
      host: this.#host,
      signal,
      begin: async (qmp) => void (await qmp.call('cont', {}, callMs)),
    });
  }

  async fingerprint(shape: GuestShape): Promise<string> {
    const { kind } = await this.acceleration();
    try {
      return await fingerprint(shape, kind);
    } catch (error) {
      throw asUnavailable(error);
    }
  }

  async saveSnapshot(guest: Guest, snapshotDir: string): Promise<void> {
    if (!(guest instanceof QemuGuest)) throw guestError('snapshot_failed', 'The guest is none of this hypervisor.');
    try {
      await saveGuest(guest, snapshotDir, await this.fingerprint(shapeOf(guest.spec)));
    } catch (error) {
      if (error instanceof AppError && ['snapshot_failed', 'guest_ended'].includes(error.reason)) throw error;
      throw guestError('snapshot_failed', 'The state of the guest could not be saved.', { cause: error });
    }
  }

  async startFromSnapshot(snapshotDir: string, spec: GuestSpec, signal: AbortSignal): Promise<Guest> {
    signal.throwIfAborted();
    const { kind } = await this.acceleration();
    const shape = shapeOf(spec);
    const { state, memoryPath, checked } = await openSnapshot(snapshotDir, await this.fingerprint(shape));
    try {
      if (spec.diskPath !== undefined) await layDisk(snapshotDir, spec.diskPath);
      // QEMU starts while the snapshot is looked at, and stands still until it was.
      const begin = (qmp: QmpClient) => checked.then(() => goOn(qmp, hasCard(shape) ? cardId : undefined));
      return await launch({ spec, acceleration: kind, host: this.#host, saved: { state, memoryPath }, signal, begin });
    } catch (error) {
      if (spec.diskPath !== undefined)
        for (const file of [spec.diskPath, baseOf(spec.diskPath)]) await rm(file, { force: true });
      signal.throwIfAborted();
      // What is damaged is also why QEMU could not start with it.
      await checked;
      throw asUnavailable(error);
    } finally {
      await checked.catch(() => undefined);
      await state.close();
    }
  }

  async adopt(workDir: string): Promise<Guest | undefined> {
    return await adoptGuest(workDir, this.#host);
  }
}
