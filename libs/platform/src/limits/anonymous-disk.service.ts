import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../caller/caller.js';
import { Settings } from '../config/settings.js';
import { AppError } from '../errors/app-error.js';
import { widerLimits } from './call-limits.js';

/** Bytes that an owner's things of one module take. */
export type DiskMeasure = (manager: EntityManager, ownerId: string) => Promise<number>;

const gib = 2 ** 30;
const inGib = (bytes: number) => (bytes / gib).toFixed(1);

/** What an anonymous caller may take on disk, over all modules: each registers how it measures its own. */
@Injectable()
export class AnonymousDisk {
  readonly #measures: DiskMeasure[] = [];

  constructor(private readonly settings: Settings) {}

  register(measure: DiskMeasure): void {
    this.#measures.push(measure);
  }

  /**
   * Whether an anonymous caller may take more; others always may.
   * @param wantedBytes how much, where that is known
   * @throws AppError `disk_quota`
   */
  async admit(manager: EntityManager, { kind, ownerId }: Caller, wantedBytes = 0): Promise<void> {
    if (kind !== 'anonymous') return;
    let taken = 0;
    for (const measure of this.#measures) taken += await measure(manager, ownerId);
    const most = this.settings.anonymousDiskGb;
    if (wantedBytes ? taken + wantedBytes <= most * gib : taken < most * gib) return;
    const more = wantedBytes ? `, this would take ${inGib(wantedBytes)} GiB more` : '';
    throw new AppError({
      kind: 'quota',
      reason: 'disk_quota',
      message: `Your builds and VMs take ${inGib(taken)} GiB${more}, and ${most} GiB is the most for an anonymous caller.`,
      hint: `Delete builds or VMs that you no longer need. ${widerLimits}`,
    });
  }
}
