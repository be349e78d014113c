import type { IncomingMessage } from 'node:http';

/**
 * Who asks. Every service method takes it first and scopes every query by `ownerId`.
 * `ownerId` is the one string that rows are owned by: `address:203.0.113.7`, `address:2001:db8:1:2::/64`, later `user:<uuid>`.
 */
export interface Caller {
  readonly kind: 'anonymous' | 'user' | 'key';
  readonly ownerId: string;
  /** Normalised client address (see client-address.ts). */
  readonly address: string;
  /** Equality of two callers on one session: the key id, or the owner for anonymous callers. */
  readonly principalId: string;
}

/** What may be known of a request before anybody is trusted. */
export interface CallerEvidence {
  readonly request: IncomingMessage;
  /** The `Authorization` header as sent, if any. */
  readonly authorization: string | undefined;
}

/**
 * A room that knows a kind of credentials registers one of these with `CallerService.register`.
 * `resolve` answers undefined for credentials of another kind and throws an AppError (`unauthenticated`) for bad ones of its own.
 */
export abstract class CallerResolver {
  abstract readonly name: string;
  abstract resolve(evidence: CallerEvidence): Promise<Caller | undefined> | Caller | undefined;
}

export function anonymousCaller(address: string): Caller {
  const ownerId = `address:${address}`;
  return { kind: 'anonymous', ownerId, address, principalId: ownerId };
}
