import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ArtifactStore } from '#libs/artifacts';
import { Job, Settings } from '#libs/platform';
import { BuildQueue, type BuildJob } from './build-queue.service.js';
import { buildQueue, BuildRunRepository } from './build-run.repository.js';
import { BuildRunner } from './build-runner.service.js';

/** A group of artifacts without a build is left alone for so long, because it may be just about to get one. */
const orphanAfterMs = 24 * 3_600_000;

@Injectable()
export class BuildsJobs implements OnApplicationBootstrap {
  private readonly log = new Logger('Builds');

  constructor(
    private readonly runner: BuildRunner,
    private readonly queue: BuildQueue,
    private readonly runs: BuildRunRepository,
    private readonly store: ArtifactStore,
    private readonly settings: Settings,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.settings.roles.includes('worker')) return;
    // The embedded database has one process, this one, and it runs nothing yet: whatever is running in it belongs to a predecessor that died.
    if (this.settings.usesEmbeddedDatabase) await this.queue.recoverAbandoned();
    else await this.queue.recover();
  }

  /** Retried for as long as it takes: a build outlives any number of workers that are stopped; those that die over it are counted in its row. */
  @Job({
    queue: buildQueue,
    concurrency: (settings) => settings.buildConcurrency,
    expireInSeconds: 6 * 3600,
    heartbeatSeconds: 30,
    retryLimit: 1_000,
  })
  async run(job: object, signal: AbortSignal): Promise<void> {
    const { build_id, lease_id } = job as BuildJob;
    await this.runner.run(build_id, lease_id, signal);
  }

  @Job({ queue: 'build.recover', schedule: '*/5 * * * *', single: true })
  async recover(): Promise<void> {
    await this.queue.recover();
  }

  @Job({ queue: 'build.expire-artifacts', schedule: '41 3 * * *', single: true, expireInSeconds: 3_600 })
  async expireArtifacts(): Promise<void> {
    const expired = await this.runs.expired(this.settings.artifactRetentionDays);
    for (const id of expired) {
      // The rows first: nobody is offered a file that is half gone.
      await this.runs.forgetArtifacts(id);
      await this.store.deleteGroup(id);
    }
    const orphans = await this.sweep(new Date(Date.now() - orphanAfterMs));
    if (expired.length || orphans)
      this.log.log(`Deleted the files of ${expired.length} old builds and ${orphans} that belonged to none`);
  }

  private async sweep(before: Date): Promise<number> {
    const old = (await this.store.usage()).filter(({ changedAt }) => changedAt < before).map(({ group }) => group);
    const existing = await this.runs.existing(old);
    const orphans = old.filter((group) => !existing.has(group));
    for (const group of orphans) await this.store.deleteGroup(group);
    return orphans.length;
  }
}
