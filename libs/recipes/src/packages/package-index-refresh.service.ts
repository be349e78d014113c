import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { AppError, errorMessage, Job, QueueService, Settings } from '#libs/platform';
import { Catalogue, type AvailableBase } from '../catalogue/catalogue.js';
import { PostgresPackageIndex } from './package-index.repository.js';
import { PackageSource } from './package-source.port.js';

const queue = 'package-index.refresh';

/** Keeps the package index of every available base fresh. The schedule looks every hour; only what is too old is fetched. */
@Injectable()
export class PackageIndexRefreshService implements OnApplicationBootstrap {
  private readonly log = new Logger('PackageIndex');

  constructor(
    private readonly catalogue: Catalogue,
    private readonly source: PackageSource,
    private readonly index: PostgresPackageIndex,
    private readonly queue: QueueService,
    private readonly settings: Settings,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if ((await this.outdated()).length) await this.queue.send(queue);
  }

  @Job({ queue, schedule: '17 * * * *', single: true, expireInSeconds: 1800 })
  async refresh(_data: object, signal: AbortSignal): Promise<void> {
    const failed: string[] = [];
    for (const base of await this.outdated()) if (!(await this.refreshBase(base, signal))) failed.push(base.id);
    // Told to the queue, which tries again after a while.
    if (failed.length) throw new Error(`The package index of ${failed.join(', ')} could not be refreshed`);
  }

  /** @returns whether it worked; a failure leaves the old index as it is */
  async refreshBase(base: AvailableBase, signal?: AbortSignal): Promise<boolean> {
    try {
      const fetched = await this.source.fetch(base, signal);
      await this.index.replace(base.id, fetched);
      this.log.log(`The package index of ${base.id} holds ${fetched.packages.length} packages`);
      return true;
    } catch (error) {
      const { loaded, refreshedAt } = await this.index.state(base.id);
      const meanwhile = loaded
        ? `The index of ${refreshedAt?.toISOString() ?? 'before'} stays in use.`
        : 'Packages of recipes cannot be checked until it works.';
      this.log.warn(`${errorMessage(error)} ${meanwhile} ${(error instanceof AppError && error.hint) || ''}`.trim());
      return false;
    }
  }

  private async outdated(): Promise<AvailableBase[]> {
    const oldest = Date.now() - this.settings.packageIndexRefreshHours * 3_600_000;
    const bases = this.catalogue.availableBases;
    const states = await Promise.all(bases.map(({ id }) => this.index.state(id)));
    return bases.filter((_base, at) => (states[at]?.refreshedAt?.getTime() ?? 0) <= oldest);
  }
}
