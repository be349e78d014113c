// For the doctor, which asks without a factory.
export { egressProblem } from './qemu/egress/egress-problem.js';
export { probeAcceleration } from './qemu/acceleration-probe.js';
export { HypervisorModule } from './hypervisor.module.js';
export { guestHelperFiles, guestHelperPort, guestHelperUnit, type GuestHelperFile } from './guest-helper-files.js';
export {
  Guest,
  GuestDisks,
  GuestHelper,
  Hypervisor,
  usualGuestSize,
  type Acceleration,
  type ClosedPort,
  type ExecuteOptions,
  type ExecuteResult,
  type GuestEnd,
  type GuestNetwork,
  type GuestShape,
  type GuestSpec,
  type HelperGreeting,
  type InputEvent,
  type RestoreDuties,
  type RestoreReport,
  type ScreenSize,
} from './hypervisor.port.js';
export { BootSnapshotOffers, type BootSnapshot, type NewBoot } from './boot-snapshot-offers.js';
export { checkBoot } from './boot-check.js';
export type { BootCheck, GuestChannels } from './boot-order.js';
export type { BootReport } from './boot-report.js';
export { usualUpTimeouts, waitForSystem, type SystemUp, type UpTimeouts } from './system-up.js';
export { checkActions } from './screen/check-actions.js';
export { performActions, type ActionsOutcome, type PerformOptions } from './screen/perform-actions.js';
export { takeScreenshot, type Screenshot } from './screen/screenshot.js';
export { actionLimits, type ScreenAction, type ScreenActionType } from './screen/screen-action.js';
export { makeSshHostKeys } from './ssh-host-keys.js';
