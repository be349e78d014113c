import { timingSafeEqual, createHash } from 'node:crypto';
import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import type { Request, Response } from 'express';
import { DataSource } from 'typeorm';
import { Settings } from '../config/settings.js';
import { CallerService } from '../caller/caller.service.js';
import { AppError } from '../errors/app-error.js';
import { EventBus } from '../events/event-bus.js';
import { PublicRoute, UncountedRoute } from '../http/route-access.js';
import { Refuses } from '../http/route-refusals.js';
import { QueueService } from '../queue/queue.service.js';
import { Metrics } from './metrics.js';
import { Readiness } from './readiness.js';

const answerWithinMs = 2_000;
const state = { type: 'object', properties: { status: { type: 'string', enum: ['up'] } }, required: ['status'] };
const states = { type: 'object', additionalProperties: state };
const readySchema = {
  type: 'object',
  properties: { status: { type: 'string', enum: ['ok'] }, info: states, error: states, details: states },
  required: ['status', 'info', 'error', 'details'],
};

@ApiTags('operations')
@PublicRoute()
@UncountedRoute()
@Controller()
export class OperationsController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly database: DataSource,
    private readonly events: EventBus,
    private readonly queue: QueueService,
    private readonly readiness: Readiness,
  ) {}

  @ApiOperation({ operationId: 'getLiveness', summary: 'Whether the process runs; restart it when this fails' })
  @ApiOkResponse({
    description: 'It runs.',
    schema: { type: 'object', properties: { status: { type: 'string', enum: ['ok'] } }, required: ['status'] },
  })
  @Get('api/health/live')
  live(): { status: string } {
    return { status: 'ok' };
  }

  @Refuses({ 503: ['unavailable'] })
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Whether requests should be sent here: database, events, queue, not shutting down',
  })
  @Get('api/health/ready')
  @ApiOkResponse({ description: 'They should.', schema: readySchema })
  @HealthCheck({ swaggerDocumentation: false, noCache: true })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.check('shutdown', () => !this.readiness.stopping),
      () => this.check('database', () => this.databaseAnswers()),
      () => this.check('events', () => this.events.connected),
      () => this.check('queue', () => this.queue.running),
    ]);
  }

  private async check(name: string, probe: () => boolean | Promise<boolean>): Promise<HealthIndicatorResult> {
    const session = this.indicators.check(name);
    return (await probe()) ? session.up() : session.down();
  }

  private async databaseAnswers(): Promise<boolean> {
    const timeout = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), answerWithinMs).unref());
    const answer = this.database.query('SELECT 1').then(
      () => true,
      () => false,
    );
    return await Promise.race([answer, timeout]);
  }
}

@PublicRoute()
@UncountedRoute()
@Controller()
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly settings: Settings,
    private readonly callers: CallerService,
  ) {}

  @ApiExcludeEndpoint()
  @Get('metrics')
  async read(@Req() request: Request, @Res() response: Response): Promise<void> {
    if (!this.mayRead(request)) {
      throw new AppError({
        kind: 'forbidden',
        reason: 'metrics_forbidden',
        message: 'Metrics are for loopback or for holders of the metrics token.',
        hint: 'Set OPENFACTORY_METRICS_TOKEN and send it as a bearer token.',
      });
    }
    response.setHeader('Content-Type', this.metrics.registry.contentType);
    response.end(await this.metrics.registry.metrics());
  }

  /** With a token set, the token alone decides; without one it must come from this machine, by the same rules as a caller's address. */
  private mayRead(request: Request): boolean {
    const { metricsToken } = this.settings;
    if (metricsToken !== undefined) return sameText(request.headers.authorization ?? '', `Bearer ${metricsToken}`);
    return this.callers.isLocal(request);
  }
}

function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
