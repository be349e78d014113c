import { Module } from '@nestjs/common';
import { BootSnapshotOffers } from './boot-snapshot-offers.js';
import { GuestDisks, Hypervisor } from './hypervisor.port.js';
import { QemuDisks } from './qemu/qemu-disks.js';
import { QemuHypervisor } from './qemu/qemu-hypervisor.js';

@Module({
  providers: [
    BootSnapshotOffers,
    { provide: Hypervisor, useClass: QemuHypervisor },
    { provide: GuestDisks, useClass: QemuDisks },
  ],
  exports: [BootSnapshotOffers, Hypervisor, GuestDisks],
})
export class HypervisorModule {}
