import type { IncomingMessage } from 'node:http';

/** What somebody may do, and what takes it away again. */
export interface Grant {
  readonly kind: 'anonymous' | 'user' | 'key';
  /** The one string that rows are owned by: `address:203.0.113.7`, `address:2001:db8:1:2::/64`, `user:<uuid>`. */
  readonly ownerId: string;
  /** Who exactly: `key:<uuid>`, `session:<uuid>` (somebody signed in, on one device), or the owner for anonymous callers. What was opened by one is never another's. */
  readonly principalId: string;
  /** Subjects of revocation (`key:<uuid>`, `session:<uuid>`, `user:<uuid>`): when one is revoked, everything that was opened on this grant ends. */
  readonly revocationSubjects: readonly string[];
  /** The only toolsets that may be used; undefined: all. */
  readonly toolsets: readonly string[] | undefined;
  /** May look, not change. */
  readonly readOnly: boolean;
  /** May do what is for administrators. Never true for a key. */
  readonly isAdmin: boolean;
  /** Milliseconds of the epoch after which the grant is over; undefined: not by time. */
  readonly expiresAt: number | undefined;
  /** When they gave their password, in milliseconds of the epoch; undefined: they did not. */
  readonly signedInAt?: number;
}

/** Who asks. Every service method takes it first and scopes every query by `ownerId`. */
export interface Caller extends Grant {
  /** Normalised client address (see client-address.ts). */
  readonly address: string;
  /** `Revocations.count` before the grant was looked at: what was revoked since then may have been overlooked. */
  readonly checkedAt: number;
}

/** What may be known of a request before anybody is trusted. */
export interface CallerEvidence {
  readonly request: IncomingMessage;
  /** The `Authorization` header as sent. */
  readonly authorization: string;
  /** Normalised client address. */
  readonly address: string;
}

/**
 * A module that knows a kind of credentials registers one of these with `CallerService.register`.
 */
export abstract class CallerResolver {
  /** The kinds of principals it knows, as in `<kind>:<uuid>`. */
  abstract readonly kinds: readonly string[];

  /** @returns undefined for credentials of another kind. @throws AppError `unauthenticated` for bad ones of its own */
  abstract resolve(evidence: CallerEvidence): Promise<Grant | undefined>;

  /** What `<kind>:<id>` may do, straight from the database. @returns undefined where it may do nothing any more, or never could */
  abstract currentGrant(kind: string, id: string): Promise<Grant | undefined>;
}

export function anonymousCaller(address: string): Caller {
  return { ...ownGrant(`address:${address}`), address, checkedAt: 0 };
}

/** The factory itself, at work for an owner: no credentials stand behind it. */
export function ownGrant(ownerId: string): Grant {
  return {
    kind: 'anonymous',
    ownerId,
    principalId: ownerId,
    revocationSubjects: [],
    toolsets: undefined,
    readOnly: false,
    isAdmin: false,
    expiresAt: undefined,
  };
}
