import { Injectable, Logger } from '@nestjs/common';
import { IdempotencyService } from '../idempotency/idempotency.service.js';
import { Job } from '../queue/job.decorator.js';

@Injectable()
export class HousekeepingJobs {
  private readonly log = new Logger('Housekeeping');

  constructor(private readonly idempotency: IdempotencyService) {}

  @Job({ queue: 'platform.forget-idempotency-keys', schedule: '17 3 * * *', single: true })
  async forgetIdempotencyKeys(): Promise<void> {
    const forgotten = await this.idempotency.forgetOld();
    if (forgotten) this.log.log(`Forgot ${forgotten} old idempotency keys`);
  }
}
