import { expect, it } from '@jest/globals';
import { withIdempotencyKey } from './with-idempotency-key.js';

it.each([
  [{ a: 1 }, 'header', { a: 1, idempotency_key: 'header' }],
  [{ a: 1, idempotency_key: null }, 'header', { a: 1, idempotency_key: 'header' }],
  [{ idempotency_key: 'body' }, 'header', { idempotency_key: 'body' }],
  // Wrong, and so to be refused as it was sent.
  [{ idempotency_key: '' }, 'header', { idempotency_key: '' }],
  [{ idempotency_key: null }, undefined, { idempotency_key: null }],
  [undefined, 'header', undefined],
  [['a'], 'header', ['a']],
])('of %j with the header %j there is %j', (body, header, whole) =>
  expect(withIdempotencyKey(body, header)).toEqual(whole),
);
