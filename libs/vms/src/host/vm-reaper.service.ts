import { Injectable, Logger } from '@nestjs/common';
import { errorMessage } from '#libs/platform';
import { VmHostRepository } from '../vm-host.repository.js';
import { VmTimeouts } from '../vm-timeouts.js';
import { isLive } from '../vm.js';
import { HostIdentity } from './host-identity.js';
import { SnapshotSweep } from './snapshot-sweep.js';
import { BootSnapshots } from './boot-snapshots.js';
import { VmHost } from './vm-host.service.js';

/** What a host does by itself while it lives. */
@Injectable()
export class VmReaper {
  private readonly log = new Logger('Vms');
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly identity: HostIdentity,
    private readonly vms: VmHostRepository,
    private readonly host: VmHost,
    private readonly snapshots: SnapshotSweep,
    private readonly testing: BootSnapshots,
    private readonly timeouts: VmTimeouts,
  ) {}

  async begin(): Promise<void> {
    await this.snapshots.begin();
    this.testing.begin();
    this.every(this.timeouts.beatMs, () => this.beat());
    this.every(this.timeouts.tidyMs, () => this.tidy());
  }

  stop(): void {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    this.snapshots.stop();
    this.testing.stop();
  }

  /** A sign of life; a host that gives none loses its VMs. */
  async beat(): Promise<void> {
    await this.vms.beat(this.identity.id);
    const lost = await this.vms.markLost();
    if (lost) this.log.warn(`${lost} VMs are lost: their host is not heard of`);
    await this.host.forgetTheDead(this.identity.id);
  }

  /** VMs that nobody used are stopped, and stopped ones deleted. */
  async tidy(): Promise<void> {
    for (const vm of await this.vms.expired(this.identity.id)) {
      if (!isLive(vm.state)) await this.host.remove(vm.id);
      else if (vm.reason === 'power_ignored') await this.host.forceOff(vm.id, 'idle');
      else await this.host.powerOff(vm.id, 'idle');
    }
    await this.snapshots.sweep();
  }

  private every(ms: number, work: () => Promise<void>): void {
    const run = () =>
      void work().catch((error: unknown) =>
        this.log.warn(`The upkeep of VMs met an error and goes on: ${errorMessage(error)}`),
      );
    this.timers.push(setInterval(run, ms).unref());
  }
}
