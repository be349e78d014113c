import { HttpException } from '@nestjs/common';
import { AppError, type ErrorKind } from '../errors/app-error.js';

const kindOfStatus: Partial<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'quota',
  503: 'unavailable',
};

/** What Nest and Express throw themselves: no such route, a body that is no JSON, a URL that is no UTF-8. */
export function fromFramework(thrown: unknown): AppError | undefined {
  const status = thrown instanceof HttpException ? thrown.getStatus() : (thrown as { status?: unknown } | null)?.status;
  const kind = typeof status === 'number' ? kindOfStatus[status] : undefined;
  if (!kind) return undefined;
  if (kind === 'not_found')
    return new AppError({
      kind,
      reason: 'route_not_found',
      message: 'There is nothing at this address.',
      hint: 'The API is described at /api/docs.',
    });
  const type = (thrown as { type?: string }).type;
  if (type === 'entity.parse.failed')
    return new AppError({
      kind,
      reason: 'malformed_json',
      message: 'The body is not valid JSON.',
      hint: 'Check it with a JSON parser.',
    });
  if (type === 'entity.too.large')
    return new AppError({
      kind,
      reason: 'body_too_large',
      message: 'The body is too large.',
      hint: 'Send less at once.',
    });
  return new AppError({
    kind,
    reason: kind === 'invalid' ? 'malformed_request' : kind,
    message: thrown instanceof HttpException ? thrown.message : 'The request is malformed.',
  });
}
