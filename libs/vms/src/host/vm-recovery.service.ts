import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Hypervisor } from '#libs/hypervisor';
import { VmHostRepository } from '../vm-host.repository.js';
import type { Vm } from '../vm.js';
import { HostIdentity } from './host-identity.js';
import { MachineDirectories, type MachineFiles } from './machine-directories.js';
import { VmHost } from './vm-host.service.js';
import { VmReaper } from './vm-reaper.service.js';

/** The first and the last minute of a host: what an earlier factory left behind is taken over or ended, and nothing is left to chance at the end. */
@Injectable()
export class VmRecovery implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('Vms');

  constructor(
    private readonly identity: HostIdentity,
    private readonly vms: VmHostRepository,
    private readonly hypervisor: Hypervisor,
    private readonly directories: MachineDirectories,
    private readonly host: VmHost,
    private readonly upkeep: VmReaper,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.identity.runsVms) return;
    const host = await this.identity.establish();
    await this.vms.beat(host);
    const live = new Map((await this.vms.liveOn(host)).map((vm) => [vm.id, vm]));
    await this.endTheRest(new Set(live.keys()), await this.vms.idsOn(host));
    await Promise.all([...live.values()].map((vm) => this.recover(vm)));
    await this.upkeep.begin();
  }

  async onModuleDestroy(): Promise<void> {
    if (!this.identity.runsVms) return;
    this.upkeep.stop();
    await this.host.shutDown();
  }

  private async recover(vm: Vm): Promise<void> {
    const guest = await this.hypervisor.adopt(this.directories.of(vm.id).dir);
    if (vm.state === 'creating' || vm.state === 'restoring') {
      // Nobody knows how far it had come.
      await guest?.quit();
      void this.host.launch(vm);
    } else if (vm.state === 'stopping') {
      await guest?.quit();
      await this.vms.change(vm.id, 'stopped', { reason: 'stopped_by_caller' });
    } else if (guest) {
      await this.host.adopt(vm, guest);
      this.log.log(`The VM ${vm.id} ran on without the factory`);
    } else await this.vms.change(vm.id, 'stopped', { reason: 'factory_died' });
  }

  /** Guests that should not run, and directories of nobody. */
  private async endTheRest(live: Set<string>, known: Set<string>): Promise<void> {
    for (const key of await this.directories.templates()) {
      const files = this.directories.ofTemplate(key);
      await this.endIn(files, { keep: false });
    }
    for (const id of (await this.directories.machines()).filter((name) => !live.has(name))) {
      const files = this.directories.of(id);
      await this.endIn(files, { keep: known.has(id) });
    }
  }

  /** What one guest left behind keeps no factory from starting. */
  private async endIn(files: MachineFiles, { keep }: { keep: boolean }): Promise<void> {
    try {
      await (await this.hypervisor.adopt(files.dir))?.quit();
      if (!keep) await this.directories.remove(files);
    } catch (error) {
      this.log.warn({ err: error }, `A guest's directory could not be put in order: ${files.dir}`);
    }
  }
}
