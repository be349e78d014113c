import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import type { AppError, Caller } from '#libs/platform';

/** One HTTP request to the gateway: whose it is, and whether they call too often. */
export interface Visit {
  caller: Caller;
  /** Undefined within the limits. Where a message can be answered by id, that is how it is told. */
  refusal: AppError | undefined;
}

/** The way of the SDK's protocol to hand a handler what its transport knows of a message. */
export function authInfoOf(visit: Visit): AuthInfo {
  return { token: '', clientId: visit.caller.principalId, scopes: [], extra: { visit } };
}

export function visitOf(authInfo: AuthInfo | undefined): Visit | undefined {
  return authInfo?.extra?.visit as Visit | undefined;
}
