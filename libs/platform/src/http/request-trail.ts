import type { IncomingMessage } from 'node:http';

/** What is learnt of a request on its way, for the audit log at its end. */
export interface RequestTrail {
  /** The route's operationId in OpenAPI. */
  operation?: string;
  /** Id of what it was about, as the answer tells it. */
  object?: string;
  /** Of the refusal. */
  reason?: string;
}

const trails = new WeakMap<IncomingMessage, RequestTrail>();

export function noteOn(request: IncomingMessage, news: RequestTrail): void {
  trails.set(request, { ...trails.get(request), ...news });
}

export function trailOf(request: IncomingMessage): RequestTrail {
  return trails.get(request) ?? {};
}
