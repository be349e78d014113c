import { mkdir } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { Hypervisor, waitForSystem } from '#libs/hypervisor';
import { AppError, Settings, untilAborted } from '#libs/platform';
import { VmPace } from '../vm-pace.js';
import type { Vm } from '../vm.js';
import { BootTimesRepository } from './boot-times.repository.js';
import { MachineDirectories } from './machine-directories.js';
import { shapeOf } from './machine-shape.js';
import { SnapshotShelf } from './snapshot-shelf.js';

interface Boot {
  done: Promise<void>;
  abort: AbortController;
  waiting: number;
}

/** Boots guests that nobody uses, once for all who wait for one of a kind, and keeps their state for clones. */
@Injectable()
export class TemplateBoots {
  private readonly boots = new Map<string, Boot>();
  private readonly slots = new Set<number>();
  /** Images without a helper: their clones could never be machines of their own. */
  private readonly uncloneable = new Set<string>();

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly directories: MachineDirectories,
    private readonly shelf: SnapshotShelf,
    private readonly times: BootTimesRepository,
    private readonly settings: Settings,
    private readonly pace: VmPace,
  ) {}

  canServe({ imageSha256 }: Vm): boolean {
    return this.settings.vmSnapshotsPerCaller > 0 && !this.uncloneable.has(imageSha256);
  }

  /**
   * Resolves when there is a snapshot of this key. Ends its boot when the last one who waits for it goes away.
   * @throws AppError `image_not_cloneable`, `system_not_up`, `snapshot_failed`, `hypervisor_unavailable`, or the signal's reason
   */
  async make(key: string, vm: Vm, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const boot = this.boots.get(key) ?? this.begin(key, vm);
      if (boot.abort.signal.aborted) {
        await boot.done.catch(() => undefined);
        continue;
      }
      boot.waiting++;
      try {
        return await untilAborted(boot.done, signal);
      } finally {
        if (--boot.waiting === 0) boot.abort.abort(new Error('Nobody waits for this boot any more.'));
      }
    }
  }

  /** Ends all boots. */
  async stop(): Promise<void> {
    const boots = [...this.boots.values()];
    for (const { abort } of boots) abort.abort(new Error('The factory stops.'));
    await Promise.allSettled(boots.map(({ done }) => done));
  }

  private begin(key: string, vm: Vm): Boot {
    const abort = new AbortController();
    const done = this.boot(key, vm, abort.signal).finally(() => this.boots.delete(key));
    done.catch(() => undefined);
    const boot = { done, abort, waiting: 0 };
    this.boots.set(key, boot);
    return boot;
  }

  private async boot(key: string, vm: Vm, signal: AbortSignal): Promise<void> {
    const files = this.directories.ofTemplate(key);
    const slot = this.takeSlot();
    try {
      await this.directories.remove(files);
      await this.directories.prepare(files, vm.imageKey, signal);
      await this.directories.createDisk(files, { label: vm.persistenceLabel, slot });
      const began = performance.now();
      const { disk: _disk, ...shape } = shapeOf(vm);
      const guest = await this.hypervisor.start({ ...shape, isoPath: files.isoPath, diskPath: files.diskPath, workDir: files.dir, slot, savable: true }, signal);
      try {
        const { helper } = await waitForSystem(guest, signal, this.pace.up);
        if (!helper) throw this.cannotClone(vm);
        signal.throwIfAborted();
        await this.times.note('cold', vm.imageSha256, (performance.now() - began) / 1000);
        await mkdir(this.shelf.directory, { recursive: true, mode: 0o711 });
        await this.shelf.clear(key);
        await this.hypervisor.saveSnapshot(guest, this.shelf.pathOf(key));
        await this.shelf.keep({ key, ownerId: vm.ownerId, imageSha256: vm.imageSha256 });
      } finally {
        await guest.quit();
      }
    } finally {
      await this.directories.remove(files);
      this.slots.delete(slot);
    }
  }

  private cannotClone({ imageSha256 }: Vm): AppError {
    this.uncloneable.add(imageSha256);
    return new AppError({ kind: 'wrong_state', reason: 'image_not_cloneable', message: 'The image has no helper that could make a clone a machine of its own.' });
  }

  /** Accounts beyond those of VMs. */
  private takeSlot(): number {
    let slot = this.settings.vmMax;
    while (this.slots.has(slot)) slot++;
    this.slots.add(slot);
    return slot;
  }
}
