import { createWriteStream } from 'node:fs';
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { ArtifactStore } from '#libs/artifacts';
import { GuestDisks } from '#libs/hypervisor';
import { removeTree, Settings } from '#libs/platform';
import { HostIdentity } from './host-identity.js';

export interface MachineFiles {
  /** For the guest's own files. */
  dir: string;
  isoPath: string;
  diskPath: string;
}

/** What is made by whom: `image.iso` here, `disk.qcow2` and its backing file by the hypervisor, serial logs by the guest. */
const diskFiles = ['disk.qcow2', 'base.qcow2'];

/** The directories of VMs and of templates below the data directory. */
@Injectable()
export class MachineDirectories {
  constructor(
    private readonly identity: HostIdentity,
    private readonly store: ArtifactStore,
    private readonly disks: GuestDisks,
    private readonly settings: Settings,
  ) {}

  of(vmId: string): MachineFiles {
    return filesIn(path.join(this.identity.directory, 'machines', vmId));
  }

  ofTemplate(key: string): MachineFiles {
    return filesIn(path.join(this.identity.directory, 'templates', key));
  }

  async make({ dir }: MachineFiles): Promise<void> {
    await mkdir(dir, { recursive: true, mode: 0o711 });
  }

  /** Makes a directory and puts the image into it, where it is not there already. @throws AppError `artifact_not_found`, or the signal's reason */
  async prepare(files: MachineFiles, imageKey: string, signal: AbortSignal): Promise<void> {
    const { dir, isoPath } = files;
    await this.make(files);
    if ((await namesIn(dir)).includes(path.basename(isoPath))) return;
    const local = await this.store.localPath(imageKey);
    if (local !== undefined && (await link(local, isoPath).then(() => true, mustBeCopied))) return;
    const part = `${isoPath}.part`;
    await pipeline(await this.store.open(imageKey), createWriteStream(part, { mode: 0o600 }), { signal });
    await rename(part, isoPath);
  }

  /** An empty disk that the image takes for the one it keeps changes on. @throws AppError `disk_failed` */
  async createDisk(
    { diskPath }: MachineFiles,
    { label, uidIndex }: { label: string; uidIndex: number },
  ): Promise<void> {
    await this.disks.createPersistent(diskPath, { label, sizeBytes: this.settings.vmDiskGb * 2 ** 30, uidIndex });
  }

  async removeDisk({ dir }: MachineFiles): Promise<void> {
    for (const name of diskFiles) await rm(path.join(dir, name), { force: true });
  }

  /** @throws AppError `tree_not_removed` */
  async remove({ dir }: MachineFiles): Promise<void> {
    await removeTree(dir);
  }

  async machines(): Promise<string[]> {
    return await namesIn(path.join(this.identity.directory, 'machines'));
  }

  async templates(): Promise<string[]> {
    return await namesIn(path.join(this.identity.directory, 'templates'));
  }
}

const filesIn = (dir: string): MachineFiles => ({
  dir,
  isoPath: path.join(dir, 'image.iso'),
  diskPath: path.join(dir, 'disk.qcow2'),
});

/** Another file system, or too many links. @returns false, or throws what is another matter */
function mustBeCopied(error: NodeJS.ErrnoException): boolean {
  if (error.code !== undefined && ['EXDEV', 'EMLINK', 'EPERM'].includes(error.code)) return false;
  throw error;
}

export async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
