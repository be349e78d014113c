import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Caller } from '../caller/caller.js';

const callerProperty = Symbol('caller');
type Called = Request & { [callerProperty]?: Caller };

export function rememberCaller(request: Request, caller: Caller): void {
  (request as Called)[callerProperty] = caller;
}

/** Undefined where nobody was found, or the route is public. */
export function callerOf(request: Request): Caller | undefined {
  return (request as Called)[callerProperty];
}

/** The Caller of this request, found by CallerGuard. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const caller = callerOf(context.switchToHttp().getRequest<Request>());
  if (!caller) throw new Error('CallerGuard did not run before this route.');
  return caller;
});
