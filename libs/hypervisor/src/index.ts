// For the doctor, which asks without a factory.
export { egressProblem } from './qemu/egress/egress-problem.js';
export { probeAcceleration } from './qemu/acceleration-probe.js';
export { HypervisorModule } from './hypervisor.module.js';
export { guestHelperFiles, guestHelperPort, guestHelperUnit, type GuestHelperFile } from './guest-helper-files.js';
export { Guest, GuestDisks, GuestHelper, Hypervisor, usualGuestSize, type Acceleration, type ClosedPort, type ExecuteOptions, type ExecuteResult, type GuestEnd, type GuestNetwork, type GuestShape, type GuestSpec, type HelperGreeting, type InputEvent, type RestoreDuties, type RestoreReport, type ScreenSize } from './hypervisor.port.js';
export { BootOffers, type KeptBoot, type NewBoot } from './boot-offers.js';
export { checkBoot } from './boot-check.js';
export type { BootCheck, ImageVoices } from './boot-order.js';
export type { BootReport } from './boot-report.js';
export { usualUpPace, waitForSystem, type SystemUp, type UpPace } from './system-up.js';
export { checkActions } from './screen/check-actions.js';
export { performActions, type ActionsOutcome, type PerformOptions } from './screen/perform-actions.js';
export { takePicture, type Picture } from './screen/picture.js';
export { actionLimits, type ScreenAction, type ScreenActionType } from './screen/screen-action.js';
export { makeSshHostKeys } from './ssh-host-keys.js';
