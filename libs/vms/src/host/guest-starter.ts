import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { Injectable, Logger } from '@nestjs/common';
import { Hypervisor, makeSshHostKeys, waitForSystem, type Guest, type GuestSpec } from '#libs/hypervisor';
import { AppError, errorMessage } from '#libs/platform';
import pLimit from 'p-limit';
import { VmTimeouts } from '../vm-timeouts.js';
import type { BootKind, Vm, VmState } from '../vm.js';
import { MachineDirectories, type MachineFiles } from './machine-directories.js';
import { macOf, shapeOf, snapshotKey } from './machine-shape.js';
import { VmSnapshotStore } from './vm-snapshot-store.js';
import { TemplateBoots } from './template-boots.js';

export interface StartedGuest {
  guest: Guest;
  boot: BootKind;
}

/** Where a snapshot cannot be made or used, the VM boots by itself. */
const bootsItself = ['image_not_cloneable', 'helper_late', 'snapshot_failed', 'snapshot_damaged'];

/** Makes the guest of a VM: a clone where it is new, else by a boot from its own disk. */
@Injectable()
export class GuestStarter {
  private readonly log = new Logger('Vms');
  /** Each clone works for about a second until it is a machine of its own: more at once only wait for each other. Two for a processor, as one may wait for its image. */
  private readonly takeTurn = pLimit(2 * os.availableParallelism());

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly directories: MachineDirectories,
    private readonly snapshots: VmSnapshotStore,
    private readonly templates: TemplateBoots,
    private readonly timeouts: VmTimeouts,
  ) {}

  /**
   * Leaves no guest behind where it throws.
   * @param onState told what is going on: creating or restoring
   * @throws AppError `system_not_up`, `host_too_slow`, `hypervisor_unavailable`, `guest_ended`, `guest_helper_failed`, `disk_failed`, `artifact_not_found`, or the signal's reason
   */
  async start(vm: Vm, signal: AbortSignal, onState: (state: VmState) => Promise<void>): Promise<StartedGuest> {
    const files = this.directories.of(vm.id);
    await this.directories.prepare(files, vm.imageKey, signal);
    if (vm.startedAt) return await this.boot(vm, files, signal);
    const clone = this.templates.canServe(vm) ? await this.clone(vm, files, signal, onState) : undefined;
    if (clone) return { guest: clone, boot: 'clone' };
    await onState('creating');
    await this.directories.removeDisk(files);
    await this.directories.createDisk(files, { label: vm.persistenceLabel, uidIndex: vm.uidIndex });
    return await this.boot(vm, files, signal);
  }

  /** Ends what no VM waits for any more. */
  async stop(): Promise<void> {
    await this.templates.stop();
  }

  private async clone(
    vm: Vm,
    files: MachineFiles,
    signal: AbortSignal,
    onState: (state: VmState) => Promise<void>,
  ): Promise<Guest | undefined> {
    const key = snapshotKey(vm, await this.hypervisor.fingerprint(shapeOf(vm)));
    try {
      for (let boots = 0; boots < 2; boots++) {
        const found = await this.snapshots.use(key, async (directory) => {
          return await this.takeTurn(async () => {
            signal.throwIfAborted();
            await onState('restoring');
            return await this.restore(vm, files, directory, signal);
          });
        });
        if (found) return found.value;
        await onState('creating');
        await this.templates.make(key, vm, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AppError) || !bootsItself.includes(error.reason)) throw error;
      if (error.reason === 'snapshot_damaged') await this.snapshots.drop(key);
      this.log.warn(`The VM ${vm.id} boots by itself: ${errorMessage(error)}`);
    }
    return undefined;
  }

  /** The link stays down until the clone is a machine of its own: two with one identity must never meet. */
  private async restore(vm: Vm, files: MachineFiles, directory: string, signal: AbortSignal): Promise<Guest> {
    await this.directories.removeDisk(files);
    const keys = makeSshHostKeys(vm.name);
    keys.catch(() => undefined);
    const guest = await this.hypervisor.startFromSnapshot(directory, this.specOf(vm, files), signal);
    return await orQuit(guest, async () => {
      const sshHostKeys = await keys;
      await guest.helper.restore(
        {
          entropy: randomBytes(64),
          hostname: vm.name,
          mac: macOf(vm.id),
          linkUp: vm.network === 'egress',
          sshHostKeys,
        },
        this.timeouts.dutiesMs,
      );
      if (vm.network === 'egress') await guest.setLink(true);
      signal.throwIfAborted();
    });
  }

  private async boot(vm: Vm, files: MachineFiles, signal: AbortSignal): Promise<StartedGuest> {
    const guest = await this.hypervisor.start(this.specOf(vm, files), signal);
    await orQuit(guest, () => waitForSystem(guest, signal, this.timeouts.up));
    return { guest, boot: 'cold' };
  }

  private specOf(vm: Vm, { dir, isoPath, diskPath }: MachineFiles): GuestSpec {
    const { disk: _disk, ...shape } = shapeOf(vm);
    return { ...shape, isoPath, diskPath, workDir: dir, onReset: 'restart', uidIndex: vm.uidIndex, survives: true };
  }
}

async function orQuit(guest: Guest, work: () => Promise<unknown>): Promise<Guest> {
  try {
    await work();
    return guest;
  } catch (error) {
    await guest.quit();
    throw error;
  }
}
