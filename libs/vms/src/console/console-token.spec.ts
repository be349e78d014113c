import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { readConsole, signConsole } from './console-token.js';

const key = randomBytes(32);
const now = new Date('2026-01-01T00:00:00Z');
const grant = {
  vmId: randomUUID(),
  viewOnly: false,
  expiresAt: new Date(now.getTime() + 60_000),
  principalId: undefined,
};
const invalid = expect.objectContaining({ reason: 'console_link_invalid' });

describe('a console token', () => {
  it.each([true, false])('gives back what was signed (view only: %s)', (viewOnly) => {
    expect(readConsole(key, signConsole(key, { ...grant, viewOnly }), now)).toEqual({ ...grant, viewOnly });
  });

  it.each(['key', 'session'])('knows whose it is: a %s', (kind) => {
    const principalId = `${kind}:${randomUUID()}`;
    expect(readConsole(key, signConsole(key, { ...grant, principalId }), now)).toEqual({ ...grant, principalId });
  });

  it('expires', () => {
    expect(() => readConsole(key, signConsole(key, grant), grant.expiresAt)).toThrow(
      expect.objectContaining({ reason: 'console_link_expired' }),
    );
  });

  it('is void with any bit changed, such as that of viewing only, with another key, or in another spelling', () => {
    const token = signConsole(key, { ...grant, viewOnly: true });
    const bytes = Buffer.from(token, 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes);
      forged[at]! ^= 1;
      expect(() => readConsole(key, forged.toString('base64url'), now)).toThrow(invalid);
    }
    for (const other of ['', `${token}x`, token.slice(1), 'A'.repeat(10_000)])
      expect(() => readConsole(key, other, now)).toThrow(invalid);
    expect(() => readConsole(randomBytes(32), token, now)).toThrow(invalid);
  });
});
