import { Inject, Injectable, Logger, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { PgBoss } from 'pg-boss';
import type { EntityManager } from 'typeorm';
import { Settings } from '../config/settings.js';
import { DATABASE_URL } from '../events/event-bus.js';
import { JOB_METADATA, type JobDefinition, type JobHandler } from './job.decorator.js';

interface FoundJob {
  definition: JobDefinition;
  run: JobHandler;
  where: string;
}

/**
 * Durable jobs on the same PostgreSQL (pg-boss). Every process can send; only a process with the worker role calls `work`.
 * A queue that no method handles, or that two handle, stops the start.
 */
@Injectable()
export class QueueService implements OnModuleInit, BeforeApplicationShutdown {
  private readonly log = new Logger('Queue');
  private readonly boss: PgBoss;
  private started = false;
  private jobs: FoundJob[] = [];
  private readonly stopping = new AbortController();

  constructor(
    @Inject(DATABASE_URL) url: string,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly settings: Settings,
  ) {
    this.boss = new PgBoss({
      connectionString: url,
      max: 4,
      application_name: 'openfactory-queue',
      useListenNotify: true,
      monitorIntervalSeconds: 10,
      superviseIntervalSeconds: 10,
    });
    this.boss.on('error', (error) => this.log.warn(`The queue met an error and goes on: ${error.message}`));
  }

  async onModuleInit(): Promise<void> {
    this.jobs = findJobs(this.discovery, this.scanner);
    await this.boss.start();
    this.started = true;
    for (const { definition } of this.jobs) await this.ensureQueue(definition);
  }

  /** Before the connection pool goes away, which running jobs still need. */
  async beforeApplicationShutdown(): Promise<void> {
    if (!this.started) return;
    this.started = false;
    // Running jobs are told to stop and go back to the queue; a shutdown must not wait for an hour-long build.
    this.stopping.abort();
    await this.boss.stop({ graceful: true, timeout: 3_000, close: true });
  }

  get running(): boolean {
    return this.started;
  }

  get definitions(): JobDefinition[] {
    return this.jobs.map(({ definition }) => definition);
  }

  /** Starts the handlers of every queue, and the schedules. */
  async work(): Promise<void> {
    for (const job of this.jobs) {
      const { queue, concurrency = 1, schedule } = job.definition;
      const workers = typeof concurrency === 'function' ? concurrency(this.settings) : concurrency;
      for (let started = 0; started < workers; started++) await this.startWorker(job);
      if (schedule) await this.boss.schedule(queue, schedule, {}, { tz: 'UTC' });
    }
  }

  private async startWorker({ definition, run }: FoundJob): Promise<void> {
    const worker: { id?: string } = {};
    // Retries are not notified, so polling finds them.
    worker.id = await this.boss.work<object>(
      definition.queue,
      { pollingIntervalSeconds: 2, notifyPollingIntervalSeconds: 5 },
      async ([job]) => {
        try {
          if (job) await run(job.data ?? {}, AbortSignal.any([job.signal, this.stopping.signal]));
        } finally {
          // The next job may have waited for this one: look at once rather than at the next poll.
          if (worker.id) this.boss.notifyWorker(worker.id);
        }
      },
    );
  }

  /** Sends a job; with a manager, in its transaction, so that state and job are written together or not at all. */
  async send(queue: string, data: object = {}, manager?: EntityManager): Promise<string | null> {
    const db = manager && {
      executeSql: async (text: string, values?: unknown[]) => ({ rows: await manager.query<unknown[]>(text, values) }),
    };
    return await this.boss.send(queue, data, db ? { db } : {});
  }

  private async ensureQueue({
    queue,
    expireInSeconds = 900,
    retryLimit = 3,
    heartbeatSeconds,
    single,
  }: JobDefinition): Promise<void> {
    const options = {
      expireInSeconds,
      retryLimit,
      retryBackoff: true,
      retryDelay: 5,
      retryDelayMax: 60,
      notify: true,
      ...(heartbeatSeconds && { heartbeatSeconds }),
    };
    await this.boss.createQueue(queue, { ...options, ...(single && { policy: 'short' as const }) });
    await this.boss.updateQueue(queue, options);
  }
}

export function findJobs(discovery: DiscoveryService, scanner: MetadataScanner): FoundJob[] {
  const found = new Map<string, FoundJob>();
  for (const { instance } of discovery.getProviders()) {
    if (!instance || typeof instance !== 'object') continue;
    const prototype = Object.getPrototypeOf(instance) as Record<string, JobHandler>;
    for (const method of scanner.getAllMethodNames(prototype)) {
      const handler = prototype[method];
      const definition = handler && (Reflect.getMetadata(JOB_METADATA, handler) as JobDefinition | undefined);
      if (!handler || !definition) continue;
      const where = `${(instance as object).constructor.name}.${method}`;
      const other = found.get(definition.queue);
      if (other && other.where !== where)
        throw new Error(`The queue ${definition.queue} has two handlers, ${other.where} and ${where}; remove one.`);
      found.set(definition.queue, { definition, where, run: (data, signal) => handler.call(instance, data, signal) });
    }
  }
  return [...found.values()];
}
