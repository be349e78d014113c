import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { CallerService } from './caller/caller.service.js';
import { Revocations } from './caller/revocations.js';
import { Settings } from './config/settings.js';
import { DatabaseModule } from './database/database.module.js';
import type { EntityClass } from './database/migrate.js';
import { DATABASE_URL, EventBus } from './events/event-bus.js';
import { CallerGuard } from './http/caller.guard.js';
import { OpenResponses } from './http/open-responses.js';
import { ProblemFilter } from './http/problem.filter.js';
import { IdempotencyKeyEntity } from './idempotency/idempotency-key.entity.js';
import { IdempotencyService } from './idempotency/idempotency.service.js';
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
  /** Entities of every room. */
  entities: EntityClass[];
}

@Global()
@Module({})
export class PlatformModule {
  static forRoot({ settings, databaseUrl, secret, entities }: PlatformOptions): DynamicModule {
    return {
      module: PlatformModule,
      imports: [LoggingModule.forRoot(settings), DatabaseModule.forRoot(databaseUrl, [IdempotencyKeyEntity, ...entities]), DiscoveryModule, TerminusModule.forRoot({ logger: false, gracefulShutdownTimeoutMs: 0 })],
      controllers: [OperationsController, MetricsController],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: DATABASE_URL, useValue: databaseUrl },
        { provide: FactorySecret, useValue: new FactorySecret(secret) },
        { provide: APP_GUARD, useClass: CallerGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
        CallerService,
        EventBus,
        HousekeepingJobs,
        IdempotencyService,
        Metrics,
        OpenResponses,
        QueueService,
        Readiness,
        Revocations,
      ],
      exports: [Settings, DATABASE_URL, FactorySecret, CallerService, DatabaseModule, DiscoveryModule, EventBus, IdempotencyService, Metrics, OpenResponses, QueueService, Readiness, Revocations],
    };
  }
}
