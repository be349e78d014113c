import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { QueueService } from '#libs/platform';
import { buildQueue, BuildRunRepository, type Release } from './build-run.repository.js';

export interface BuildJob {
  build_id: string;
  lease_id: string;
}

/** Sees to it that every unfinished build has one job. */
@Injectable()
export class BuildQueue {
  private readonly log = new Logger('Builds');

  constructor(
    private readonly queue: QueueService,
    private readonly runs: BuildRunRepository,
    private readonly database: DataSource,
  ) {}

  async send(manager: EntityManager, job: BuildJob): Promise<void> {
    await this.queue.send(buildQueue, job, manager);
  }

  /** Gives a build back to the queue, for whichever worker comes next. */
  async requeue(id: string, release: Release = {}): Promise<void> {
    await this.database.transaction(async (manager) => {
      const leaseId = await this.runs.release(manager, id, release);
      if (leaseId) await this.send(manager, { build_id: id, lease_id: leaseId });
    });
  }

  /** Requeues builds whose job was lost (a restored database, a queue that was emptied). @returns how many */
  async recover(): Promise<number> {
    const lost = await this.runs.withoutJob();
    for (const id of lost) await this.requeue(id);
    if (lost.length) this.log.warn(`${lost.length} builds had lost their job and wait again`);
    return lost.length;
  }

  /**
   * Requeues at once what a dead worker was running, instead of waiting for its heartbeat to be missed. Only for a process that is the only
   * one on its database and runs nothing yet. The jobs of the dead end by themselves: their tickets are void.
   * @returns how many
   */
  async recoverAbandoned(): Promise<number> {
    const abandoned = await this.runs.withoutJob(['created', 'retry']);
    for (const id of abandoned) await this.requeue(id, { workerDied: true });
    if (abandoned.length)
      this.log.warn(`${abandoned.length} build(s) were running when this factory ended, and wait again`);
    return abandoned.length;
  }
}
