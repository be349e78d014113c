import { Module } from '@nestjs/common';
import { BootOffers } from './boot-offers.js';
import { GuestDisks, Hypervisor } from './hypervisor.port.js';
import { QemuDisks } from './qemu/qemu-disks.js';
import { QemuHypervisor } from './qemu/qemu-hypervisor.js';

@Module({
  providers: [
    BootOffers,
    { provide: Hypervisor, useClass: QemuHypervisor },
    { provide: GuestDisks, useClass: QemuDisks },
  ],
  exports: [BootOffers, Hypervisor, GuestDisks],
})
export class HypervisorModule {}
