import { Injectable } from '@nestjs/common';
import { BuildReader } from '#libs/builds';
import { AppError, type Caller } from '#libs/platform';
import { HostIdentity } from './host/host-identity.js';
import { VmHost } from './host/vm-host.service.js';
import { VmAdmission } from './vm-admission.service.js';
import { VmRepository } from './vm.repository.js';
import { isLive, type Vm } from './vm.js';
import type { CreateVmInput } from './vms.dto.js';

/** The use cases that change VMs. Each answers with the VM's name within seconds; how far it is, VmQueryService tells. */
@Injectable()
export class VmService {
  constructor(
    private readonly builds: BuildReader,
    private readonly vms: VmRepository,
    private readonly admission: VmAdmission,
    private readonly identity: HostIdentity,
    private readonly host: VmHost,
  ) {}

  /**
   * Stores a VM and starts it; waits a little, for a clone is there in a moment.
   * @returns its name
   * @throws AppError `invalid_arguments`, `build_not_found`, `build_not_completed`, `build_without_image`, `vm_name_taken`, `vm_quota`, `disk_quota`, `host_full`,
   *   `idempotency_key_reused`, `vm_host_elsewhere`, `factory_stopping`
   */
  async create(caller: Caller, input: CreateVmInput): Promise<string> {
    this.host.checkReady();
    const image = await this.builds.bootableImage(caller, input.build_id);
    const { vm, isNew } = await this.admission.take(caller, image, input);
    if (isNew) await this.host.launch(vm);
    return vm.name;
  }

  /** A cold boot from its own disk; starting what runs changes nothing. @throws AppError `vm_not_found`, `vm_stopping`, `host_full`, `vm_host_elsewhere` */
  async start(caller: Caller, name: string): Promise<void> {
    const vm = await this.here(caller, name);
    if (vm.state === 'stopping')
      throw new AppError({
        kind: 'wrong_state',
        reason: 'vm_stopping',
        message: 'The VM is shutting down.',
        hint: 'Ask list_vms until it is stopped, then start it; stop_vm with force ends it at once.',
      });
    await this.vms.touch(vm.id);
    const started = isLive(vm.state) ? undefined : await this.admission.readmit(caller, vm);
    if (started) await this.host.launch(started);
  }

  /** Presses the power button, or with force pulls the plug; stopping what is stopped changes nothing. @throws AppError `vm_not_found`, `vm_host_elsewhere` */
  async stop(caller: Caller, name: string, force: boolean): Promise<void> {
    const vm = await this.here(caller, name);
    if (!isLive(vm.state)) return;
    if (force) await this.host.forceOff(vm.id, 'forced_off');
    else await this.host.powerOff(vm.id, 'stopped_by_caller');
  }

  /** In any state: what starts or runs is ended first. @throws AppError `vm_not_found`, `vm_host_elsewhere` */
  async delete(caller: Caller, name: string): Promise<void> {
    const vm = await this.vms.get(caller.ownerId, name);
    this.identity.check(vm);
    await this.host.remove(vm.id);
  }

  private async here(caller: Caller, name: string): Promise<Vm> {
    const vm = await this.vms.get(caller.ownerId, name);
    this.identity.check(vm);
    this.host.checkReady(vm);
    return vm;
  }
}
