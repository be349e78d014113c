import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { readDownload, signDownload } from './download-token.js';

const key = randomBytes(32);
const now = new Date('2026-01-01T00:00:00Z');
const grant = {
  buildId: randomUUID(),
  artifactId: randomUUID(),
  expiresAt: new Date(now.getTime() + 60_000),
  principalId: `key:${randomUUID()}`,
};
const invalid = expect.objectContaining({ reason: 'download_link_invalid' });

describe('a download token', () => {
  it('gives back what was signed', () => expect(readDownload(key, signDownload(key, grant), now)).toEqual(grant));

  it('names nobody where somebody anonymous asked for it', () => {
    const anonymous = { ...grant, principalId: undefined };
    expect(readDownload(key, signDownload(key, anonymous), now)).toEqual(anonymous);
  });

  it('expires', () => {
    expect(() => readDownload(key, signDownload(key, grant), grant.expiresAt)).toThrow(
      expect.objectContaining({ reason: 'download_link_expired' }),
    );
  });

  it('is void with any bit changed, another key, or in another spelling', () => {
    const token = signDownload(key, grant);
    const bytes = Buffer.from(token, 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes);
      forged[at]! ^= 1;
      expect(() => readDownload(key, forged.toString('base64url'), now)).toThrow(invalid);
    }
    for (const other of ['', 'x', `${token}x`, `${token}=`, `${token} `, token.slice(1), 'A'.repeat(10_000)])
      expect(() => readDownload(key, other, now)).toThrow(invalid);
    expect(() => readDownload(randomBytes(32), token, now)).toThrow(invalid);
  });
});
