import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppError, Settings } from '#libs/platform';

/** Who this process is among the hosts of VMs. A host is a data directory, not a process: its VMs outlive the factory's. */
@Injectable()
export class HostIdentity {
  readonly directory: string;
  private own: string | undefined;

  constructor(private readonly settings: Settings) {
    this.directory = path.join(settings.dataDir, 'vms');
  }

  /** Only workers run VMs. */
  get runsVms(): boolean {
    return this.settings.roles.includes('worker');
  }

  /** Reads the id of the data directory, or gives it one. */
  async establish(): Promise<string> {
    // Guests run under accounts of their own and must be able to pass through.
    await mkdir(this.directory, { recursive: true, mode: 0o711 });
    const file = path.join(this.directory, 'host-id');
    await writeFile(file, `${randomUUID()}\n`, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    this.own = (await readFile(file, 'utf8')).trim();
    return this.own;
  }

  /** @throws AppError `vm_host_elsewhere` in a process that runs no VMs */
  get id(): string {
    if (this.own === undefined) throw hostElsewhere('This process of the factory runs no VMs.');
    return this.own;
  }

  /** @throws AppError `vm_host_elsewhere` where a VM runs on another host */
  check({ host }: { host: string }): void {
    if (host !== this.own) throw hostElsewhere('This VM runs on another host of the factory.');
  }
}

function hostElsewhere(message: string): AppError {
  return new AppError({
    kind: 'unavailable',
    reason: 'vm_host_elsewhere',
    message,
    hint: 'In this version VMs are reached only through the process that runs them: one with the roles api and worker.',
    retryable: false,
  });
}
