// For the doctor, which asks without a factory.
export { probeAcceleration } from './qemu/acceleration-probe.js';
export { HypervisorModule } from './hypervisor.module.js';
export { Guest, Hypervisor, type Acceleration, type ExecuteOptions, type ExecuteResult, type GuestEnd, type GuestSpec } from './hypervisor.port.js';
export { checkBoot, type BootCheck, type BootReport } from './boot-check.js';
