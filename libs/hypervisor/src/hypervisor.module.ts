import { Module } from '@nestjs/common';
import { GuestDisks, Hypervisor } from './hypervisor.port.js';
import { QemuDisks } from './qemu/qemu-disks.js';
import { QemuHypervisor } from './qemu/qemu-hypervisor.js';

@Module({
  providers: [
    { provide: Hypervisor, useClass: QemuHypervisor },
    { provide: GuestDisks, useClass: QemuDisks },
  ],
  exports: [Hypervisor, GuestDisks],
})
export class HypervisorModule {}
