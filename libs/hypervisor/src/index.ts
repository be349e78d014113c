// For the doctor, which asks without a factory.
export { probeAcceleration } from './qemu/acceleration-probe.js';
export { HypervisorModule } from './hypervisor.module.js';
export { guestHelperFiles, guestHelperPort, guestHelperUnit, type GuestHelperFile } from './guest-helper-files.js';
export { Guest, GuestHelper, Hypervisor, type Acceleration, type ExecuteOptions, type ExecuteResult, type GuestEnd, type GuestSpec, type HelperGreeting, type RestoreDuties, type RestoreReport } from './hypervisor.port.js';
export { checkBoot, type BootCheck, type BootReport, type ImageVoices } from './boot-check.js';
