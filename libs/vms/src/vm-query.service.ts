import { Injectable } from '@nestjs/common';
import { Hypervisor } from '#libs/hypervisor';
import type { Caller } from '#libs/platform';
import { BootTimesRepository } from './host/boot-times.repository.js';
import { detailsOf } from './vm-view.js';
import { VmRepository } from './vm.repository.js';
import type { BootKind, Vm } from './vm.js';
import type { ListVmsInput, VmDetails, VmList } from './vms.dto.js';

/** Seconds, while none of a kind was seen. */
const firstGuess: Record<'kvm' | 'tcg', Record<BootKind, number>> = {
  kvm: { cold: 20, clone: 1 },
  tcg: { cold: 90, clone: 2 },
};

/** The use cases that look at VMs. */
@Injectable()
export class VmQueryService {
  constructor(
    private readonly vms: VmRepository,
    private readonly times: BootTimesRepository,
    private readonly hypervisor: Hypervisor,
  ) {}

  async list(caller: Caller, { build_id }: ListVmsInput): Promise<VmList> {
    const vms = await this.vms.list(caller.ownerId, build_id);
    return { vms: await Promise.all(vms.map((vm) => this.details(vm))), total: vms.length };
  }

  /** @throws AppError `vm_not_found` */
  async get(caller: Caller, name: string): Promise<VmDetails> {
    return await this.details(await this.vms.get(caller.ownerId, name));
  }

  private async details(vm: Vm): Promise<VmDetails> {
    return detailsOf(vm, await this.expectedSeconds(vm));
  }

  private async expectedSeconds(vm: Vm): Promise<number | null> {
    if (vm.state !== 'creating' && vm.state !== 'restoring') return null;
    const kinds: BootKind[] = vm.state === 'restoring' ? ['clone'] : vm.startedAt ? ['cold'] : ['cold', 'clone'];
    const seconds = await Promise.all(kinds.map((kind) => this.typical(vm, kind)));
    const spent = (Date.now() - vm.updatedAt.getTime()) / 1000;
    return Math.max(1, Math.ceil(seconds.reduce((sum, one) => sum + one, 0) - spent));
  }

  private async typical({ host, imageSha256 }: Vm, kind: BootKind): Promise<number> {
    const seconds = await this.times.typicalSeconds(host, kind, imageSha256);
    if (seconds !== undefined) return seconds;
    const { kind: acceleration } = await this.hypervisor.acceleration().catch(() => ({ kind: 'tcg' as const }));
    return firstGuess[acceleration][kind];
  }
}
