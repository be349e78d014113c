import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { Injectable } from '@nestjs/common';
import { Settings } from '#libs/platform';
import type { VmLimits } from '../admission.js';
import { HostIdentity } from './host-identity.js';

const gib = 2 ** 30;
/** Of the host's memory; the rest is for the factory, its database, builds, and what QEMU needs beside its guests. */
const shareForVms = 0.75;

/** What this host has to give. */
@Injectable()
export class HostCapacity {
  readonly limits: VmLimits;

  constructor(
    settings: Settings,
    private readonly identity: HostIdentity,
  ) {
    const processors = os.availableParallelism();
    const vcpusPerVm = settings.vmMaxVcpus ?? Math.max(2, processors);
    this.limits = {
      vmsPerCaller: settings.vmMaxPerCaller,
      vms: settings.vmMax,
      memoryMb: settings.vmMemoryMb ?? Math.floor((os.totalmem() / 2 ** 20) * shareForVms),
      vcpus: Math.max(vcpusPerVm, processors * settings.vmCpuOvercommit),
      vcpusPerVm,
      leastFreeDiskBytes: settings.vmMinFreeDiskGb * gib,
    };
  }

  async freeDiskBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.identity.directory);
    return bavail * bsize;
  }
}
