import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import { RequestAudit } from '../audit/request-audit.js';
import type { Settings } from '../config/settings.js';
import { invalid } from '../errors/app-error.js';
import { CallerService } from '../caller/caller.service.js';
import { CallLimits } from '../limits/call-limits.js';
import { bodyMethods } from './caller.guard.js';
import { putBefore, type RawHandler } from './front.js';
import { isReading } from './is-reading.js';
import { hasBody } from './body-reader.js';
import { dropBody, requireJson } from './unread-body.js';
import { requestIdOf } from './request-id.js';
import { RequestGuard } from './request-guard.js';
import { sendProblem, toAppError } from './problem.js';

/**
 * What holds for every request, in order: host and origin, then the `edges` (the MCP endpoints, which answer for themselves and must not
 * pay for what only REST needs, Express itself included), then, in Express, the audit log, limits by address, security headers and JSON only. No body is read here: CallerGuard does, when nothing
 * else stands against the request.
 */
export function setUpHttp(app: NestExpressApplication, settings: Settings, edges: RawHandler[]): void {
  const guard = new RequestGuard(settings);
  const refuse = (request: IncomingMessage, response: ServerResponse, error: unknown) =>
    sendProblem(request, response, toAppError(error), requestIdOf(request));
  app.disable('x-powered-by');
  app.disable('etag');
  putBefore(app.getHttpServer(), (request, response) => {
    try {
      guard.check(request);
      checkUrl(request);
      // Nobody reads it; Node would, once the answer is sent, for as long as it comes.
      if (!bodyMethods.has(request.method ?? '') && hasBody(request)) dropBody(request);
      return guard.answerPreflight(request, response) || edges.some((edge) => edge(request, response));
    } catch (error) {
      refuse(request, response, error);
      return true;
    }
  });
  const [audit, limits, callers] = [app.get(RequestAudit), app.get(CallLimits), app.get(CallerService)];
  // Wherever it is sent to and before its body is read, since everything that is recorded must be bounded. Reading is counted by CallerGuard, which knows what is free.
  const admit = async (request: Request, response: Response): Promise<void> => {
    audit.watch(request, response);
    const refusal = await limits.countRequest(callers.addressOf(request));
    if (refusal) throw refusal;
  };
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (isReading(request)) return next();
    admit(request, response).then(
      () => next(),
      (error: unknown) => refuse(request, response, error),
    );
  });
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: { upgradeInsecureRequests: settings.publicUrl.startsWith('https:') ? [] : null },
      },
      strictTransportSecurity: settings.publicUrl.startsWith('https:'),
    }),
  );
  app.use((request: Request, response: Response, next: NextFunction) => {
    response.setHeader('X-Request-Id', requestIdOf(request));
    response.setHeader('Cache-Control', 'no-store');
    if (!bodyMethods.has(request.method) || !hasBody(request)) return next();
    try {
      requireJson(request);
      next();
    } catch (error) {
      refuse(request, response, error);
    }
  });
}

/** No name of ours holds a NUL, and PostgreSQL takes none. */
function checkUrl({ url = '' }: IncomingMessage): void {
  if (/%00|\0/.test(url)) throw invalid('invalid_url', 'The URL holds a NUL character (%00).', 'Leave it out.');
}

/** Who sends headers slowly is cut off, and a body is given up by its progress (BodyProgress); a long answer (an event stream) is not a slow request. */
export function setUpServer(app: NestExpressApplication): void {
  const server = app.getHttpServer();
  server.requestTimeout = 15 * 60_000;
  server.headersTimeout = 20_000;
  server.keepAliveTimeout = 65_000;
}
