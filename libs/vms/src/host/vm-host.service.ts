import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { ClosedPort, Guest, GuestEnd } from '#libs/hypervisor';
import { AppError, errorMessage, hostTimeout } from '#libs/platform';
import { VmHostRepository } from '../vm-host.repository.js';
import { VmTimeouts } from '../vm-timeouts.js';
import type { Vm, VmError, VmReason } from '../vm.js';
import { BootTimesRepository } from './boot-times.repository.js';
import { GuestStarter } from './guest-starter.js';
import { LiveMachine } from './live-machine.js';
import { MachineDirectories } from './machine-directories.js';

const endingMs = 1_000;

/** Runs the VMs of this host: their guests live in this process's hands, their states in the database. */
@Injectable()
export class VmHost {
  private readonly log = new Logger('Vms');
  private readonly machines = new Map<string, LiveMachine>();
  private readonly removals = new Map<string, Promise<void>>();
  private stopping = false;

  constructor(
    private readonly starter: GuestStarter,
    private readonly vms: VmHostRepository,
    private readonly directories: MachineDirectories,
    private readonly times: BootTimesRepository,
    private readonly timeouts: VmTimeouts,
  ) {}

  /** The hold on a VM, if it starts or runs here. */
  machine(vmId: string): LiveMachine | undefined {
    return this.machines.get(vmId);
  }

  /** @throws AppError `factory_stopping`, `vm_not_found` while it is being deleted */
  checkReady(vm?: Pick<Vm, 'id'>): void {
    if (this.stopping)
      throw new AppError({
        kind: 'unavailable',
        reason: 'factory_stopping',
        message: 'The factory is stopping.',
        hint: 'Try again when it is back.',
      });
    if (vm && this.removals.has(vm.id))
      throw new AppError({
        kind: 'wrong_state',
        reason: 'vm_being_deleted',
        message: 'The VM is being deleted.',
        hint: 'Use another one, or create one with create_vm.',
      });
  }

  /** Starts a VM whose row says `creating` or `restoring`. Waits a little, for a clone is there in a moment; the row tells how far it is. */
  async launch(vm: Vm): Promise<void> {
    if (this.stopping) return void (await this.vms.change(vm.id, 'stopped', { reason: 'factory_stopped' }));
    const machine = new LiveMachine(vm.id);
    this.machines.set(vm.id, machine);
    machine.started = this.start(machine, vm);
    await this.wait(machine.started, this.timeouts.answerMs);
  }

  /** Takes over a guest that was found running. */
  async adopt(vm: Vm, guest: Guest): Promise<void> {
    const machine = new LiveMachine(vm.id);
    machine.guest = guest;
    this.machines.set(vm.id, machine);
    await this.vms.change(vm.id, 'running');
    this.watch(machine, guest);
  }

  /** Ends it like pulling the plug. Settles when it is gone and its row says so. */
  async forceOff(vmId: string, reason: VmReason): Promise<void> {
    const machine = this.machines.get(vmId);
    if (!machine) return void (await this.vms.change(vmId, 'stopped', { reason }));
    machine.ending = { state: 'stopped', reason };
    await this.end(machine);
  }

  /**
   * Presses its power button, and waits a little. What does not obey in a minute is running again, with the reason `power_ignored`.
   * @throws AppError `guest_peer_failed`, `guest_ended`
   */
  async powerOff(vmId: string, reason: VmReason): Promise<void> {
    const machine = this.machines.get(vmId);
    // What has not come up yet has nothing to lose.
    if (!machine?.guest) return await this.forceOff(vmId, reason);
    if (!machine.ending) {
      machine.ending = { state: 'stopped', reason };
      await this.vms.change(vmId, 'stopping');
      await this.pressPower(machine, machine.guest);
    }
    await this.wait(machine.over, this.timeouts.answerMs);
  }

  /** Ends it whatever it does, and removes everything of it. Asked again, it waits for the same. */
  async remove(vmId: string): Promise<void> {
    const removal = this.removals.get(vmId) ?? this.removeNow(vmId).finally(() => this.removals.delete(vmId));
    this.removals.set(vmId, removal);
    await removal;
  }

  /** VMs whose rows say that they live and of which nobody here knows: their end could not be written down when it came. */
  async forgetTheDead(host: string): Promise<void> {
    for (const vm of await this.vms.liveOn(host)) {
      const isKnown =
        this.machines.has(vm.id) ||
        this.removals.has(vm.id) ||
        Date.now() - vm.updatedAt.getTime() < this.timeouts.tidyMs;
      if (!isKnown) await this.vms.change(vm.id, 'failed', { reason: 'guest_died' });
    }
  }

  /** Powers all VMs down, and ends those that do not obey in time. None is started any more. */
  async shutDown(): Promise<void> {
    this.stopping = true;
    await Promise.all([...this.machines.values()].map((machine) => this.shutDownOne(machine)));
    await this.starter.stop();
  }

  /** Waits for a work, but not for ever. */
  private async wait(work: Promise<unknown>, withinMs: number): Promise<void> {
    const enough = new AbortController();
    await Promise.race([
      work,
      sleep(withinMs, undefined, { signal: enough.signal, ref: false }).catch(() => undefined),
    ]);
    enough.abort();
  }

  /** For a verdict: on a busy host a guest needs longer for everything. */
  private async waitInHostTime(work: Promise<unknown>, withinMs: number): Promise<void> {
    const enough = hostTimeout(withinMs);
    await Promise.race([
      work,
      new Promise((resolve) => enough.signal.addEventListener('abort', resolve, { once: true })),
    ]);
    enough.stop();
  }

  private async start(machine: LiveMachine, vm: Vm): Promise<void> {
    const began = performance.now();
    let { state } = vm;
    try {
      const { guest, boot } = await this.starter.start(vm, machine.abort.signal, async (next) => {
        if (next !== state && !(await this.vms.change(vm.id, next))) throw notWanted();
        state = next;
      });
      if (machine.abort.signal.aborted || !(await this.vms.change(vm.id, 'running', { boot }))) {
        await guest.quit();
        throw notWanted();
      }
      machine.guest = guest;
      this.watch(machine, guest);
      await this.times.note(boot, vm.imageSha256, (performance.now() - began) / 1000);
    } catch (error) {
      if (machine.guest) return this.log.warn(`The start of the VM ${vm.id} was not noted: ${errorMessage(error)}`);
      const isMeant = machine.abort.signal.aborted;
      if (!isMeant) this.log.warn(`The VM ${vm.id} did not start: ${errorMessage(error)}`);
      await this.finish(machine, isMeant ? undefined : errorOf(error));
    }
  }

  private watch(machine: LiveMachine, guest: Guest): void {
    guest.onPortClosed((closed) => void this.noteClosedPort(machine.vmId, closed));
    void guest.ended.then(async (end) => {
      // Who is told that it ended should find it ended; a database that hangs must not keep them.
      await this.wait(this.finish(machine, end), endingMs);
      machine.gone.abort(
        new AppError({
          kind: 'unavailable',
          reason: 'guest_ended',
          message: `The VM is not running any more: ${end.detail}.`,
          hint: 'list_vms tells why; start_vm starts it again.',
        }),
      );
    });
  }

  private async noteClosedPort(vmId: string, { port, why }: ClosedPort): Promise<void> {
    this.log.warn(`The ${port} port of the VM ${vmId} was closed: ${why}`);
    const error = {
      reason: 'guest_flooded',
      message: why,
      hint: `Screen, keyboard and mouse work on; what needs the guest's ${port} does not until the VM was stopped and started again. Something in it writes to /dev/virtio-ports.`,
    };
    await this.vms
      .noteFault(vmId, 'port_closed', error)
      .catch((failure: unknown) =>
        this.log.error(`That a port of the VM ${vmId} was closed could not be written down: ${errorMessage(failure)}`),
      );
  }

  /** Writes down how it ended; on the way out, in every case, it leaves the list. */
  private async finish(machine: LiveMachine, how: GuestEnd | VmError | undefined): Promise<void> {
    const { vmId, ending } = machine;
    try {
      if (ending === 'deleted') return;
      if (ending) await this.vms.change(vmId, ending.state, { reason: ending.reason });
      else if (how && 'why' in how && how.why === 'powered_off')
        await this.vms.change(vmId, 'stopped', { reason: 'powered_off' });
      else if (how && 'why' in how)
        await this.vms.change(vmId, 'failed', {
          reason: 'guest_died',
          error: {
            reason: 'guest_died',
            message: `Its virtual machine broke: ${how.detail}.`,
            hint: 'start_vm starts it again from its disk; what was not written there is lost.',
          },
        });
      else await this.vms.change(vmId, 'failed', { reason: 'start_failed', ...(how && { error: how }) });
    } catch (error) {
      this.log.error(`The end of the VM ${vmId} could not be written down: ${errorMessage(error)}`);
    } finally {
      if (this.machines.get(vmId) === machine) this.machines.delete(vmId);
      machine.markOver();
    }
  }

  /** An abort that comes too late for the start finds a guest, and ends that. */
  private async end(machine: LiveMachine): Promise<void> {
    machine.abort.abort(notWanted());
    await machine.started;
    await machine.guest?.quit();
    await machine.over;
  }

  private async pressPower(machine: LiveMachine, guest: Guest): Promise<void> {
    try {
      await guest.pressPower();
    } catch (error) {
      machine.ending = undefined;
      await this.vms.change(machine.vmId, 'running');
      throw error;
    }
    void this.waitForPowerOff(machine);
  }

  private async waitForPowerOff(machine: LiveMachine): Promise<void> {
    const { ending } = machine;
    await this.waitInHostTime(machine.over, this.timeouts.powerOffMs);
    // Over, or meanwhile ended in another way.
    if (!this.machines.has(machine.vmId) || machine.ending !== ending || this.stopping) return;
    machine.ending = undefined;
    await this.vms
      .change(machine.vmId, 'running', { reason: 'power_ignored' })
      .catch((error: unknown) =>
        this.log.error(`The VM ${machine.vmId} could not be called running again: ${errorMessage(error)}`),
      );
  }

  private async removeNow(vmId: string): Promise<void> {
    const machine = this.machines.get(vmId);
    if (machine) {
      machine.ending = 'deleted';
      await this.end(machine);
    }
    // Before the row, which holds its account: another VM must not get that while files of this one are there.
    await this.directories.remove(this.directories.of(vmId));
    await this.vms.delete(vmId);
  }

  private async shutDownOne(machine: LiveMachine): Promise<void> {
    if (machine.ending !== 'deleted') machine.ending = { state: 'stopped', reason: 'factory_stopped' };
    if (!machine.isStarting) {
      void machine.guest?.pressPower().catch(() => undefined);
      await this.wait(machine.over, this.timeouts.shutdownMs);
    }
    await this.end(machine);
  }
}

const notWanted = () => new Error('The VM is not to run any more.');

function errorOf(error: unknown): VmError {
  if (error instanceof AppError)
    return {
      reason: error.reason,
      message: error.message,
      hint: error.hint ?? 'start_vm tries again; if it stays, look at the build with get_build.',
    };
  return {
    reason: 'internal_error',
    message: 'Something went wrong on our side.',
    hint: 'start_vm tries again; if it stays, tell your operator the name of the VM.',
  };
}
