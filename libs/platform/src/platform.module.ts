import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, DiscoveryModule } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { AuditController } from './audit/audit.controller.js';
import { AuditInterceptor } from './audit/audit.interceptor.js';
import { AuditLog } from './audit/audit-log.js';
import { AuditRepository } from './audit/audit.repository.js';
import { RequestAudit } from './audit/request-audit.js';
import { CallerService } from './caller/caller.service.js';
import { Revocations } from './caller/revocations.js';
import { Settings } from './config/settings.js';
import { DatabaseModule } from './database/database.module.js';
import type { EntityClass } from './database/migrate.js';
import { DATABASE_URL, EventBus } from './events/event-bus.js';
import { BodyReader } from './http/body-reader.js';
import { CallerGuard } from './http/caller.guard.js';
import { FlowingAnswers } from './http/flowing-answers.js';
import { HttpTimeouts } from './http/http-timeouts.js';
import { OpenResponses } from './http/open-responses.js';
import { ProblemFilter } from './http/problem.filter.js';
import { IdempotencyKeyEntity } from './idempotency/idempotency-key.entity.js';
import { IdempotencyService } from './idempotency/idempotency.service.js';
import { AccountKeys } from './caller/account-keys.js';
import { AnonymousDisk } from './limits/anonymous-disk.service.js';
import { CallLimits } from './limits/call-limits.js';
import { HashingQueue } from './limits/hashing-queue.js';
import { LoggingModule } from './logging/logging.module.js';
import { HousekeepingJobs } from './operations/housekeeping.jobs.js';
import { Metrics } from './operations/metrics.js';
import { MetricsController, OperationsController } from './operations/operations.controller.js';
import { Readiness } from './operations/readiness.js';
import { QueueService } from './queue/queue.service.js';
import { FactorySecret } from './secrets/factory-secret.js';

export interface PlatformOptions {
  settings: Settings;
  /** Connection URL of the database that is really used (embedded or configured). */
  databaseUrl: string;
  secret: string;
  /** Entities of every module. */
  entities: EntityClass[];
}

@Global()
@Module({})
export class PlatformModule {
  static forRoot({ settings, databaseUrl, secret, entities }: PlatformOptions): DynamicModule {
    return {
      module: PlatformModule,
      imports: [
        LoggingModule.forRoot(settings),
        DatabaseModule.forRoot(databaseUrl, [IdempotencyKeyEntity, ...entities]),
        DiscoveryModule,
        TerminusModule.forRoot({ logger: false, gracefulShutdownTimeoutMs: 0 }),
      ],
      controllers: [AuditController, OperationsController, MetricsController],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: DATABASE_URL, useValue: databaseUrl },
        { provide: FactorySecret, useValue: new FactorySecret(secret) },
        { provide: APP_GUARD, useClass: CallerGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_INTERCEPTOR, useClass: AuditInterceptor },
        AccountKeys,
        AnonymousDisk,
        AuditLog,
        AuditRepository,
        BodyReader,
        CallerService,
        CallLimits,
        EventBus,
        FlowingAnswers,
        HashingQueue,
        HousekeepingJobs,
        HttpTimeouts,
        IdempotencyService,
        Metrics,
        OpenResponses,
        QueueService,
        Readiness,
        RequestAudit,
        Revocations,
      ],
      exports: [
        Settings,
        DATABASE_URL,
        FactorySecret,
        AccountKeys,
        AnonymousDisk,
        AuditLog,
        BodyReader,
        CallerService,
        CallLimits,
        DatabaseModule,
        DiscoveryModule,
        EventBus,
        FlowingAnswers,
        HashingQueue,
        HttpTimeouts,
        IdempotencyService,
        Metrics,
        OpenResponses,
        QueueService,
        Readiness,
        RequestAudit,
        Revocations,
      ],
    };
  }
}
