import type { AppError, Caller } from '#libs/platform';

/** One HTTP request to the gateway: whose it is, and whether they call too often. */
export interface AuthenticatedRequest {
  caller: Caller;
  /** Undefined within the limits. Where a message can be answered by id, that is how it is told. */
  refusal: AppError | undefined;
}
