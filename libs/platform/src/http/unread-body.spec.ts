import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { requireJson } from './unread-body.js';

const check = (headers: Record<string, string>) => () => requireJson({ headers } as unknown as IncomingMessage);

describe('requireJson', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json; charset=utf8',
    'application/json; charset=us-ascii',
    'application/json; x=y',
  ])('takes %s', (type) => expect(check({ 'content-type': type })).not.toThrow());

  it.each<[Record<string, string>, RegExp]>([
    [{}, /must be JSON/],
    [{ 'content-type': 'text/plain' }, /must be JSON/],
    [{ 'content-type': 'application/jsonx' }, /must be JSON/],
    [{ 'content-type': 'application/json; charset=iso-8859-1' }, /must be UTF-8, not iso-8859-1/],
    [{ 'content-type': 'application/json; x=y;Charset = "utf-16"' }, /must be UTF-8, not utf-16/],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, /must not be compressed/],
  ])('refuses %j', (headers, message) =>
    expect(check(headers)).toThrow(
      expect.objectContaining({ reason: 'unsupported_media_type', message: expect.stringMatching(message) }),
    ),
  );
});
