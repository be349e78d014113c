import { describe, expect, it } from '@jest/globals';
import { parseInput } from '#libs/platform';
import { ResetRequestInput } from '../http/identity.dto.js';
import { readEmail } from './email.js';

const parse = (email: unknown) => parseInput(ResetRequestInput, { email }).email;

describe('Email', () => {
  it.each([
    ['  Ada@Example.COM ', 'ada@example.com'],
    ['root@localhost', 'root@localhost'],
    ['ada+factory@mail.example.com', 'ada+factory@mail.example.com'],
  ])('%j is %s', (written, email) => {
    expect(parse(written)).toBe(email);
    expect(readEmail(written)).toBe(email);
  });

  it.each([
    '',
    'ada',
    'ada@',
    '@example.com',
    'a b@example.com',
    'ada@example.com\r\nBcc: eve@example.com',
    `${'a'.repeat(250)}@example.com`,
    7,
    null,
    ['ada@example.com'],
    { toString: 'x' },
  ])('%j is none', (written) => {
    expect(() => parse(written)).toThrow(expect.objectContaining({ reason: 'invalid_arguments' }));
    if (typeof written === 'string')
      expect(() => readEmail(written)).toThrow(expect.objectContaining({ reason: 'invalid_email' }));
  });
});
