import { Injectable } from '@nestjs/common';
import type { Guest } from '#libs/hypervisor';
import { AppError, type Caller } from '#libs/platform';
import { HostIdentity } from './host/host-identity.js';
import type { LiveMachine } from './host/live-machine.js';
import { VmHost } from './host/vm-host.service.js';
import { vmNotFound, VmRepository } from './vm.repository.js';
import { isLive, type Vm } from './vm.js';

export interface ReachedVm {
  vm: Vm;
  guest: Guest;
  machine: LiveMachine;
}

/** The way to a running guest, for whoever has a right to it. */
@Injectable()
export class VmAccess {
  constructor(
    private readonly vms: VmRepository,
    private readonly identity: HostIdentity,
    private readonly host: VmHost,
  ) {}

  /** A running VM of the caller's, which counts as used now. @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere` */
  async reach(caller: Caller, name: string): Promise<ReachedVm> {
    return await this.reachRunning(await this.vms.get(caller.ownerId, name));
  }

  /** The same by its id, for the holder of a token that names it. @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere` */
  async reachById(vmId: string): Promise<ReachedVm> {
    const vm = await this.vms.find(vmId);
    if (!vm) throw vmNotFound(vmId);
    return await this.reachRunning(vm);
  }

  private async reachRunning(vm: Vm): Promise<ReachedVm> {
    this.identity.check(vm);
    const machine = this.host.machine(vm.id);
    if (vm.state !== 'running' && vm.state !== 'stopping') throw notRunning(vm);
    // Its end was not written down yet, or its start a moment ago.
    if (!machine?.guest) throw notRunning(vm);
    await this.vms.touch(vm.id);
    return { vm, guest: machine.guest, machine };
  }
}

function notRunning({ state }: Vm): AppError {
  const hint =
    state === 'lost'
      ? 'Its host is not heard of; wait until it is back.'
      : isLive(state)
        ? 'Ask list_vms until it is running.'
        : 'Call start_vm, and ask list_vms until it is running.';
  return new AppError({
    kind: 'wrong_state',
    reason: 'vm_not_running',
    message: `The VM is ${state}, not running.`,
    hint,
  });
}
