import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IdempotencyService } from '../idempotency/idempotency.service.js';
import { Revocations } from '../caller/revocations.js';
import { CallLimits } from '../limits/call-limits.js';
import { Job } from '../queue/job.decorator.js';

@Injectable()
export class HousekeepingJobs {
  private readonly log = new Logger('Housekeeping');

  constructor(
    private readonly idempotency: IdempotencyService,
    private readonly revocations: Revocations,
    private readonly database: DataSource,
    private readonly limits: CallLimits,
  ) {}

  @Job({ queue: 'platform.forget-idempotency-keys', schedule: '17 3 * * *', single: true })
  async forgetIdempotencyKeys(): Promise<void> {
    const forgotten = await this.idempotency.forgetOld();
    if (forgotten) this.log.log(`Forgot ${forgotten} old idempotency keys`);
  }

  @Job({ queue: 'platform.forget-revocations', schedule: '7 * * * *', single: true })
  async forgetRevocations(): Promise<void> {
    await this.revocations.forgetOld(this.database.manager);
  }

  @Job({ queue: 'platform.forget-call-counts', schedule: '*/10 * * * *', single: true })
  async forgetCallCounts(): Promise<void> {
    await this.limits.forgetOld();
  }
}
