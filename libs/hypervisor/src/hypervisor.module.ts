import { Module } from '@nestjs/common';
import { Hypervisor } from './hypervisor.port.js';
import { QemuHypervisor } from './qemu/qemu-hypervisor.js';

@Module({
  providers: [{ provide: Hypervisor, useClass: QemuHypervisor }],
  exports: [Hypervisor],
})
export class HypervisorModule {}
