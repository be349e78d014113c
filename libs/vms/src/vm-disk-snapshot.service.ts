import { Injectable } from '@nestjs/common';
import { GuestDisks } from '#libs/hypervisor';
import { AppError, notFound, type Caller } from '#libs/platform';
import { HostIdentity } from './host/host-identity.js';
import { MachineDirectories } from './host/machine-directories.js';
import { VmHost } from './host/vm-host.service.js';
import { VmAllowance } from './vm-allowance.service.js';
import { diskSnapshotOf } from './vm-view.js';
import { VmRepository } from './vm.repository.js';
import { isLive, type Vm } from './vm.js';
import type { VmDiskSnapshot, VmDiskSnapshotList } from './vms.dto.js';

const mostSnapshots = 20;

/** Points in time of a VM's disk that its owner can go back to. All of it throws `vm_not_found` and `vm_host_elsewhere`. */
@Injectable()
export class VmDiskSnapshotService {
  /** One change of a VM's disk after the other. */
  private readonly changing = new Set<string>();

  constructor(
    private readonly vms: VmRepository,
    private readonly host: VmHost,
    private readonly identity: HostIdentity,
    private readonly directories: MachineDirectories,
    private readonly disks: GuestDisks,
    private readonly allowance: VmAllowance,
  ) {}

  async list(caller: Caller, vmName: string): Promise<VmDiskSnapshotList> {
    const vm = await this.vms.get(caller.ownerId, vmName);
    return { snapshots: (await this.vms.diskSnapshots(vm.id)).map(diskSnapshotOf) };
  }

  /** Of a running VM too, whose disk is then as after a power cut. @throws AppError `vm_snapshot_quota`, `disk_quota`, `vm_snapshot_exists`, `vm_without_disk`, `vm_busy`, `vm_not_settled` */
  async create(caller: Caller, vmName: string, name: string): Promise<VmDiskSnapshot> {
    return await this.change(caller, vmName, async (vm) => {
      const there = await this.vms.diskSnapshots(vm.id);
      if (there.some((snapshot) => snapshot.name === name))
        throw new AppError({
          kind: 'conflict',
          reason: 'vm_snapshot_exists',
          message: `The VM has a snapshot "${name}" already.`,
          hint: 'Choose another name, or delete that one first.',
        });
      if (there.length >= mostSnapshots)
        throw new AppError({
          kind: 'quota',
          reason: 'vm_snapshot_quota',
          message: `The VM has ${mostSnapshots} snapshots, which is the most.`,
          hint: 'Delete one first.',
        });
      if (!vm.startedAt)
        throw new AppError({
          kind: 'wrong_state',
          reason: 'vm_without_disk',
          message: 'The VM has never run, so there is nothing on its disk.',
          hint: 'Start it first.',
        });
      await this.vms.inTransaction((manager) => this.allowance.admitDisk(manager, caller));
      const guest = this.host.machine(vm.id)?.guest;
      if (guest) await guest.snapshotDisk(name);
      else await this.disks.snapshot(this.diskOf(vm), name);
      await this.vms.addDiskSnapshot(vm.id, name);
      const made = (await this.vms.diskSnapshots(vm.id)).find((snapshot) => snapshot.name === name);
      return diskSnapshotOf(made ?? { name, createdAt: new Date() });
    });
  }

  /** @throws AppError `vm_snapshot_not_found`, `vm_not_stopped`, `vm_busy` */
  async restore(caller: Caller, vmName: string, name: string): Promise<void> {
    await this.change(caller, vmName, async (vm) => {
      await this.stoppedWith(vm, name);
      await this.disks.revert(this.diskOf(vm), name);
    });
  }

  /** @throws AppError `vm_snapshot_not_found`, `vm_not_stopped`, `vm_busy` */
  async delete(caller: Caller, vmName: string, name: string): Promise<void> {
    await this.change(caller, vmName, async (vm) => {
      await this.stoppedWith(vm, name);
      await this.disks.deleteSnapshot(this.diskOf(vm), name);
      await this.vms.removeDiskSnapshot(vm.id, name);
    });
  }

  private async change<T>(caller: Caller, vmName: string, work: (vm: Vm) => Promise<T>): Promise<T> {
    const vm = await this.vms.get(caller.ownerId, vmName);
    this.identity.check(vm);
    this.host.checkReady(vm);
    if (this.changing.has(vm.id))
      throw new AppError({
        kind: 'quota',
        reason: 'vm_busy',
        message: 'Another call changes the snapshots of this VM just now.',
        hint: 'Wait for its answer, then try again.',
      });
    if (isLive(vm.state) && vm.state !== 'running')
      throw new AppError({
        kind: 'wrong_state',
        reason: 'vm_not_settled',
        message: `The VM is ${vm.state}; its disk is not to be touched now.`,
        hint: 'Ask list_vms until it is running or stopped.',
      });
    this.changing.add(vm.id);
    try {
      return await work(vm);
    } finally {
      this.changing.delete(vm.id);
    }
  }

  private async stoppedWith(vm: Vm, name: string): Promise<void> {
    if (!(await this.vms.diskSnapshots(vm.id)).some((snapshot) => snapshot.name === name))
      throw notFound('vm snapshot', name, 'The list of its snapshots shows their names.');
    if (isLive(vm.state) || this.host.machine(vm.id))
      throw new AppError({
        kind: 'wrong_state',
        reason: 'vm_not_stopped',
        message: `The VM is ${vm.state}; a disk that is in use cannot be changed that way.`,
        hint: 'Stop it first with stop_vm.',
      });
  }

  private diskOf({ id }: Vm): string {
    return this.directories.of(id).diskPath;
  }
}
