import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { BootableImage } from '#libs/builds';
import { AppError, IdempotencyService, invalidArguments, Settings, widerLimits, type Caller } from '#libs/platform';
import { admitRunning, admitVm, checkDemand } from './admission.js';
import { HostIdentity } from './host/host-identity.js';
import { VmAllowance } from './vm-allowance.service.js';
import { VmHostRepository } from './vm-host.repository.js';
import { generateName, isReserved } from './vm-name.js';
import { vmNotFound, VmRepository } from './vm.repository.js';
import { startableStates, type Vm } from './vm.js';
import type { CreateVmInput } from './vms.dto.js';

const hourMs = 3_600_000;

/** Lets VMs onto this host: once per idempotency key, within the limits of the caller and of the host. */
@Injectable()
export class VmAdmission {
  constructor(
    private readonly vms: VmRepository,
    private readonly hostVms: VmHostRepository,
    private readonly idempotency: IdempotencyService,
    private readonly allowance: VmAllowance,
    private readonly identity: HostIdentity,
    private readonly settings: Settings,
  ) {}

  /**
   * @returns the VM, and whether it is new
   * @throws AppError `invalid_arguments`, `vm_name_taken`, `vm_quota`, `disk_quota`, `host_full`, `idempotency_key_reused`, `vm_not_found` where the first one is deleted already
   */
  async take(caller: Caller, image: BootableImage, input: CreateVmInput): Promise<{ vm: Vm; isNew: boolean }> {
    const host = this.identity.id;
    const { idempotency_key, build_id: _given, ...wanted } = input;
    const demand = { memoryMb: input.memory_mb, vcpus: input.vcpus };
    const limits = this.allowance.limitsOf(caller);
    checkDemand(demand, limits);
    if (input.name !== undefined && isReserved(input.name))
      throw invalidArguments([
        { path: '/name', code: 'reserved', message: 'must not start with of-, which is for VMs of the factory' },
      ]);
    const freeDiskBytes = await this.allowance.freeDiskBytes();
    let made: Vm | undefined;
    const { id } = await this.idempotency.once(
      caller,
      { operation: 'create_vm', key: idempotency_key, body: { ...wanted, build_id: image.buildId } },
      async (manager) => {
        await this.vms.lockAdmission(manager, host);
        const use = { ...(await this.vms.use(manager, host, caller.ownerId)), freeDiskBytes };
        admitVm(limits, use, caller.kind === 'anonymous' ? ` ${widerLimits}` : '');
        await this.allowance.admitDisk(manager, caller);
        admitRunning(demand, limits, use);
        const name = input.name ?? generateName(image.buildName);
        if (await this.vms.isTaken(manager, caller.ownerId, name)) throw nameTaken(name);
        made = await this.vms.insert(manager, {
          id: randomUUID(),
          ownerId: caller.ownerId,
          name,
          buildId: image.buildId,
          imageSha256: image.sha256,
          imageKey: image.storeKey,
          persistenceLabel: image.persistenceLabel,
          ...demand,
          network: input.network,
          host,
          expiresAt:
            caller.kind === 'anonymous' ? new Date(Date.now() + this.settings.vmAnonymousIdleHours * hourMs) : null,
        });
        return { id: made.id };
      },
    );
    const vm = made ?? (await this.vms.find(id));
    if (!vm) throw vmNotFound(input.name ?? id);
    return { vm, isNew: made !== undefined };
  }

  /** A stopped VM that starts. @returns undefined where another call has started it meanwhile. @throws AppError `host_full`, `vm_not_found` */
  async readmit(caller: Caller, { id, name, memoryMb, vcpus }: Vm): Promise<Vm | undefined> {
    const freeDiskBytes = await this.allowance.freeDiskBytes();
    return await this.idempotency.once(
      caller,
      { operation: 'start_vm', key: undefined, body: undefined },
      async (manager) => {
        const host = this.identity.id;
        await this.vms.lockAdmission(manager, host);
        const vm = await this.vms.getLocked(manager, id, name);
        if (!startableStates.includes(vm.state)) return undefined;
        admitRunning({ memoryMb, vcpus }, this.allowance.limitsOf(caller), {
          ...(await this.vms.use(manager, host, caller.ownerId)),
          freeDiskBytes,
        });
        await this.hostVms.changeIn(manager, id, 'creating');
        return { ...vm, state: 'creating' };
      },
    );
  }
}

function nameTaken(name: string): AppError {
  return new AppError({
    kind: 'conflict',
    reason: 'vm_name_taken',
    message: `You have a VM "${name}" already.`,
    hint: 'Choose another name, or give none and have one made; list_vms shows your VMs.',
  });
}
