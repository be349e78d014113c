import type { Guest } from '#libs/hypervisor';
import type { Caller } from '#libs/platform';

export interface ConsoleVm {
  vm: { id: string; name: string; ownerId: string };
  guest: Guest;
  /** Whoever acts at it takes turns. @throws AppError `vm_busy`, `guest_ended`, or the signal's reason */
  machine: { inTurn<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> };
}

/** What the console needs to know of VMs: those that run on this host, by name for their owner, by id for whoever holds a token. Each call counts as use. */
export abstract class ConsoleAccess {
  /** @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere` */
  abstract reach(caller: Caller, name: string): Promise<ConsoleVm>;
  /** @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere` */
  abstract reachById(vmId: string): Promise<ConsoleVm>;
}
