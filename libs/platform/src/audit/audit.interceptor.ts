import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import { tap, type Observable } from 'rxjs';
import { isReading } from '../http/is-reading.js';
import { noteOn } from '../http/request-trail.js';
import { objectIdIn } from './object-id.js';

/** Global: notes what a route's answer was about, for RequestAudit. */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    if (isReading(request)) return next.handle();
    return next.handle().pipe(
      tap((answer) => {
        const object = objectIdIn(answer);
        if (object !== undefined) noteOn(request, { object });
      }),
    );
  }
}
