import { isObject } from '../validation/input-shape.js';

/** A body with the key of the header Idempotency-Key. The body's own wins: it is part of what the caller wrote on purpose; null is none. */
export function withIdempotencyKey(body: unknown, header: string | undefined): unknown {
  if (header === undefined || !isObject(body) || (body.idempotency_key ?? undefined) !== undefined) return body;
  return { ...body, idempotency_key: header };
}
