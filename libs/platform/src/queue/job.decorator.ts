import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { Settings } from '../config/settings.js';

export const JOB_METADATA = 'openfactory:job';

export interface JobDefinition {
  /** Queue name: `<domain>.<verb>`. One handler per queue. */
  queue: string;
  /** Jobs of this queue that one worker process runs at once. Default 1. */
  concurrency?: number | ((settings: Settings) => number);
  /** Seconds after which a running job counts as dead (at most 24 h). Default 900. */
  expireInSeconds?: number;
  /** Seconds (at least 10) without a sign of life after which the job of a dead worker is given to another. Default: only expiry. */
  heartbeatSeconds?: number;
  retryLimit?: number;
  /** cron(5) expression in UTC: the queue also gets a job at these times. */
  schedule?: string;
  /** Keeps a queue to one waiting job; further sends are dropped while it waits. */
  single?: boolean;
}

/** Marks a method `(data, signal) => Promise<void>` of a provider as the handler of a queue. Found at start by the worker. */
export const Job = (definition: JobDefinition): CustomDecorator => SetMetadata(JOB_METADATA, definition);

export type JobHandler = (data: object, signal: AbortSignal) => Promise<void>;
