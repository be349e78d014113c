import { mkdir } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { Hypervisor, type Guest, type GuestSpec } from '#libs/hypervisor';
import { Settings } from '#libs/platform';
import type { Vm } from '../vm.js';
import { BootTimesRepository } from './boot-times.repository.js';
import { MachineDirectories, type MachineFiles } from './machine-directories.js';
import { VmSnapshotStore } from './vm-snapshot-store.js';

/** What clones of a snapshot have in common. */
export interface Template extends Pick<Vm, 'ownerId' | 'imageSha256' | 'persistenceLabel'> {
  /** Of the snapshot. */
  key: string;
  /** Its build is not completed yet. */
  isEarly?: boolean;
}

/** Directory, disk and account of one guest that nobody uses, and whose state is to be kept. */
export interface TemplateDirectory {
  files: MachineFiles;
  spec: Pick<GuestSpec, 'diskPath' | 'workDir' | 'uidIndex' | 'savable'>;
  /** Puts the state of the guest in the store, and ends it. @throws AppError `snapshot_failed`, `guest_ended` */
  keep(guest: Guest): Promise<void>;
  /** When the guest has ended. */
  close(): Promise<void>;
}

@Injectable()
export class TemplateDirectories {
  private readonly uidIndexes = new Set<number>();

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly directories: MachineDirectories,
    private readonly snapshots: VmSnapshotStore,
    private readonly times: BootTimesRepository,
    private readonly settings: Settings,
  ) {}

  /** @throws AppError `disk_failed` */
  async open(template: Template): Promise<TemplateDirectory> {
    const files = this.directories.ofTemplate(template.key);
    const uidIndex = this.takeUidIndex();
    const close = async () => {
      await this.directories.remove(files);
      this.uidIndexes.delete(uidIndex);
    };
    try {
      await this.directories.remove(files);
      await this.directories.make(files);
      await this.directories.createDisk(files, { label: template.persistenceLabel, uidIndex });
    } catch (error) {
      await close();
      throw error;
    }
    const began = performance.now();
    return {
      files,
      spec: { diskPath: files.diskPath, workDir: files.dir, uidIndex, savable: true },
      keep: (guest) => this.keep(template, guest, (performance.now() - began) / 1000),
      close,
    };
  }

  private async keep(
    { key, ownerId, imageSha256, isEarly = false }: Template,
    guest: Guest,
    seconds: number,
  ): Promise<void> {
    await this.times.note('cold', imageSha256, seconds);
    await mkdir(this.snapshots.directory, { recursive: true, mode: 0o711 });
    await this.snapshots.clear(key);
    await this.hypervisor.saveSnapshot(guest, this.snapshots.pathOf(key));
    await this.snapshots.keep({ key, ownerId, imageSha256 }, { isEarly });
  }

  /** Accounts beyond those of VMs. */
  private takeUidIndex(): number {
    let uidIndex = this.settings.vmMax;
    while (this.uidIndexes.has(uidIndex)) uidIndex++;
    this.uidIndexes.add(uidIndex);
    return uidIndex;
  }
}
