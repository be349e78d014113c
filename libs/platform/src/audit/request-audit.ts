import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { CallerService } from '../caller/caller.service.js';
import { callerOf } from '../http/current-caller.decorator.js';
import { requestIdOf } from '../http/request-id.js';
import { trailOf } from '../http/request-trail.js';
import { AuditLog } from './audit-log.js';
import { objectIdOfRoute } from './object-id.js';

/** Records a request to REST when its answer is over, so that what was refused on the way is there too. */
@Injectable()
export class RequestAudit {
  constructor(
    private readonly audit: AuditLog,
    private readonly callers: CallerService,
  ) {}

  watch(request: Request, response: Response): void {
    // Now: a connection that is closed has no address any more.
    const address = this.callers.findAddressOf(request);
    response.once('close', () => {
      const { object = objectIdOfRoute(request.params ?? {}), reason } = trailOf(request);
      this.audit.record({
        caller: callerOf(request),
        address,
        edge: 'rest',
        action: actionOf(request),
        object,
        result: resultOf(response, reason),
        requestId: requestIdOf(request),
      });
    });
  }
}

/** Of the route, never of the path as sent: that may hold a token. */
function actionOf(request: Request): string {
  const { operation } = trailOf(request);
  const { path } = (request.route ?? {}) as { path?: unknown };
  // Nest's own route for what has none is a wildcard.
  return operation ?? `${request.method} ${typeof path === 'string' && !path.includes('*') ? path : 'unrouted'}`;
}

function resultOf({ headersSent, statusCode }: Response, reason: string | undefined): string {
  if (reason !== undefined) return reason;
  if (!headersSent) return 'connection_closed';
  return statusCode < 400 ? 'ok' : `status_${statusCode}`;
}
