import type { Guest } from '#libs/hypervisor';
import type { Caller } from '#libs/platform';

export interface ConsoleVm {
  vm: { id: string; name: string; ownerId: string };
  guest: Guest;
}

/** What the console needs to know of VMs: those that run on this host, by name for their owner, by id for whoever holds a token. Each call counts as use. */
export abstract class ConsoleAccess {
  /** @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere` */
  abstract reach(caller: Caller, name: string): Promise<ConsoleVm>;
  /** @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere` */
  abstract reachById(vmId: string): Promise<ConsoleVm>;
}
