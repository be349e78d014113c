import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AuditRepository } from '../audit/audit.repository.js';
import { Settings } from '../config/settings.js';
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
    private readonly audit: AuditRepository,
    private readonly settings: Settings,
  ) {}

  @Job({ queue: 'platform.forget-idempotency-keys', schedule: '17 3 * * *', single: true })
  async forgetIdempotencyKeys(): Promise<void> {
    const forgotten = await this.idempotency.purgeExpired();
    if (forgotten) this.log.log(`Forgot ${forgotten} old idempotency keys`);
  }

  @Job({ queue: 'platform.forget-revocations', schedule: '7 * * * *', single: true })
  async forgetRevocations(): Promise<void> {
    await this.revocations.purgeExpired(this.database.manager);
  }

  @Job({ queue: 'platform.forget-audit', schedule: '27 3 * * *', single: true })
  async forgetAudit(): Promise<void> {
    const forgotten = await this.audit.purgeExpired(this.settings.auditDays);
    if (forgotten)
      this.log.log(`Forgot ${forgotten} entries of the audit log that were older than ${this.settings.auditDays} days`);
  }

  @Job({ queue: 'platform.forget-call-counts', schedule: '*/10 * * * *', single: true })
  async forgetCallCounts(): Promise<void> {
    await this.limits.purgeExpired();
  }
}
