import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, type ErrorKind } from '../errors/app-error.js';
import type { Problem } from './problem.dto.js';
import { answerAndClose, dropBody } from './unread-body.js';
import { noteOn } from './request-trail.js';

export const statusOf: Record<ErrorKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  wrong_state: 409,
  too_slow: 408,
  too_large: 413,
  unsupported_media_type: 415,
  quota: 429,
  unavailable: 503,
  internal: 500,
};

const titles: Record<ErrorKind, string> = {
  invalid: 'Invalid input',
  unauthenticated: 'Not authenticated',
  forbidden: 'Forbidden',
  not_found: 'Not found',
  conflict: 'Conflict',
  wrong_state: 'Wrong state',
  too_slow: 'Too slow',
  too_large: 'Too large',
  unsupported_media_type: 'Unsupported media type',
  quota: 'Limit reached',
  unavailable: 'Unavailable',
  internal: 'Internal error',
};

/** Headers that a kind of error calls for (RFC 6750, section 3; RFC 9110, 10.2.3). */
export function errorHeaders(error: AppError): Record<string, string> {
  // Nothing was sent, so nothing is invalid (RFC 6750, 3.1).
  if (error.reason === 'credentials_required') return { 'WWW-Authenticate': 'Bearer' };
  if (error.reason === 'misplaced_credentials') return { 'WWW-Authenticate': 'Bearer error="invalid_request"' };
  if (error.kind === 'unauthenticated')
    return {
      'WWW-Authenticate': `Bearer error="invalid_token", error_description="${error.message.replaceAll('"', "'")}"`,
    };
  const seconds = error.retryAfterSeconds ?? (error.kind === 'unavailable' ? 5 : undefined);
  return seconds === undefined ? {} : { 'Retry-After': String(Math.ceil(seconds)) };
}

/** Problem details (RFC 9457) with our extension members `reason`, `hint`, `request_id`, `violations`. */
export function problemOf(error: AppError, requestId: string): Problem {
  return {
    type: 'about:blank',
    title: titles[error.kind],
    status: statusOf[error.kind],
    detail: error.message,
    reason: error.reason,
    ...(error.hint && { hint: error.hint }),
    ...(error.violations && { violations: error.violations }),
    request_id: requestId,
  };
}

export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  error: AppError,
  requestId: string,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(error, requestId));
  sendErrorBody(request, response, error, { body, contentType: 'application/problem+json; charset=utf-8' });
}

export interface ErrorBody {
  body: string;
  contentType: string;
  /** Instead of the status of the error's kind. */
  status?: number;
  headers?: Record<string, string>;
}

/** What is left of a body this small is read and thrown away, so that the connection can be used again. */
const smallBodyBytes = 1 << 20;

/** Sends an error body; the connection is given up only where much of the request body is still to come. */
export function sendErrorBody(
  request: IncomingMessage,
  response: ServerResponse,
  error: AppError,
  { body, contentType, status = statusOf[error.kind], headers: more }: ErrorBody,
): void {
  noteOn(request, { reason: error.reason });
  const headers = {
    ...errorHeaders(error),
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...more,
  };
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (!request.complete && (encoding !== undefined || Number(length ?? 0) > smallBodyBytes))
    return answerAndClose(request, response, status, headers, body);
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
  dropBody(request);
}

/** Of PostgreSQL (appendix A), or of the system. */
function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** No connection could be had, or it was cut, or the work must be done again (class 08, 40001, 40P01, 53300, 57P01 to 57P03; messages of pg-pool and pg). Nothing else that connects fails without words of its own. */
function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { syscall } = error as { syscall?: unknown };
  const isCut =
    (syscall === 'connect' && /^(ECONNREFUSED|ENOENT|EAGAIN)$/.test(codeOf(error))) ||
    /^(ECONNRESET|EPIPE)$/.test(codeOf(error));
  return (
    isCut ||
    /^(08...|40001|40P01|53300|57P0[123])$/.test(codeOf(error)) ||
    /^(timeout exceeded when trying to connect|Connection terminated)/.test(error.message)
  );
}

/** Whatever was thrown, as an AppError; what is not ours becomes `internal` and keeps its details to itself. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isDatabaseAway(error))
    return new AppError({
      kind: 'unavailable',
      reason: 'database_unavailable',
      message: 'The factory’s database does not answer at this moment.',
      hint: 'Try again in a few seconds.',
      retryAfterSeconds: 5,
      cause: error,
    });
  if (/^(53100|ENOSPC|EDQUOT)$/.test(codeOf(error)))
    return new AppError({
      kind: 'unavailable',
      reason: 'disk_full',
      message: 'The factory’s disk is full, so this could not be kept.',
      hint: 'Delete builds and VMs that nobody needs, or tell your operator; then try again.',
      retryAfterSeconds: 60,
      cause: error,
    });
  return new AppError({
    kind: 'internal',
    reason: 'internal_error',
    message: 'Something went wrong on our side.',
    hint: 'Try again; if it stays, tell your operator the request id.',
    cause: error,
  });
}
