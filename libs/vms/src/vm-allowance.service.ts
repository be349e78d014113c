import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AnonymousDisk, Settings, type Caller } from '#libs/platform';
import type { VmLimits } from './admission.js';
import { HostCapacity } from './host/host-capacity.js';
import { VmRepository } from './vm.repository.js';

const gib = 2 ** 30;

/** What this host gives to a caller. Anonymous callers have limits of their own, and never more than others. */
@Injectable()
export class VmAllowance implements OnModuleInit {
  /** What a VM's disk may grow to: the database does not know how far it has. */
  private readonly diskBytes: number;

  constructor(
    private readonly capacity: HostCapacity,
    private readonly vms: VmRepository,
    private readonly disk: AnonymousDisk,
    private readonly settings: Settings,
  ) {
    this.diskBytes = settings.vmDiskGb * gib;
  }

  onModuleInit(): void {
    // Each snapshot may hold a whole disk of its own, once everything was written again after it.
    this.disk.register(
      async (manager, ownerId) =>
        ((await this.vms.countOf(manager, ownerId)) + (await this.vms.countDiskSnapshotsOf(manager, ownerId))) *
        this.diskBytes,
    );
  }

  limitsOf({ kind }: Caller): VmLimits {
    const { limits } = this.capacity;
    return kind === 'anonymous'
      ? { ...limits, vmsPerCaller: Math.min(this.settings.anonymousVms, limits.vmsPerCaller) }
      : limits;
  }

  async freeDiskBytes(): Promise<number> {
    return await this.capacity.freeDiskBytes();
  }

  /** Whether the disk of one more VM, or one more snapshot of a disk, has room. @throws AppError `disk_quota` */
  async admitDisk(manager: EntityManager, caller: Caller): Promise<void> {
    await this.disk.admit(manager, caller, this.diskBytes);
  }
}
