import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { notFound, type Caller } from '#libs/platform';
import { ConsoleAccess, VmConsoleModule, type ConsoleVm, type VmConsoleModuleOptions } from '#libs/vms';
import { FakeGuest, type FakeGuestScript } from '../../libs/hypervisor/src/testing/fake-hypervisor.js';

/** VMs of the tests' own, for the console to reach: no builds, no hypervisor. */
@Injectable()
export class FixtureVms extends ConsoleAccess {
  readonly #vms = new Map<string, ConsoleVm & { guest: FakeGuest }>();

  add(name: string, script: FakeGuestScript = {}): ConsoleVm & { guest: FakeGuest } {
    const guest = new FakeGuest({ memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir: '' }, '', script);
    const made = {
      vm: { id: randomUUID(), name, ownerId: `address:${name}` },
      guest,
      machine: { inTurn: <T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) => work(signal) },
    };
    this.#vms.set(made.vm.id, made);
    return made;
  }

  /** As deletion does where the guest goes on for a moment. */
  forget(vmId: string): void {
    this.#vms.delete(vmId);
  }

  reach(_caller: Caller, name: string): Promise<ConsoleVm> {
    const found = [...this.#vms.values()].find(({ vm }) => vm.name === name);
    return found ? Promise.resolve(found) : Promise.reject(notFound('vm', name));
  }

  reachById(vmId: string): Promise<ConsoleVm> {
    const found = this.#vms.get(vmId);
    return found ? Promise.resolve(found) : Promise.reject(notFound('vm', vmId));
  }
}

@Module({ providers: [FixtureVms], exports: [FixtureVms] })
class FixtureVmsModule {}

/** @param timeouts for tests that wait until the factory looks again; a busy browser needs the time that people's have */
export const consoleFixture = (timeouts: VmConsoleModuleOptions['timeouts'] = {}) =>
  VmConsoleModule.forRoot({ vms: FixtureVmsModule, access: FixtureVms, timeouts });
export const impatientTimeouts = { pingMs: 1_000, recheckMs: 200 };
