import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { FactorySecret, loadSettings, signClaims } from '#libs/platform';
import { AccessTokens } from './access-tokens.js';
import { RefreshTokens } from './refresh-tokens.js';

const secret = new FactorySecret('s'.repeat(40));
const { settings } = loadSettings({ OPENFACTORY_DATA_DIR: '/tmp/none' });
const tokens = new AccessTokens(secret, settings);
const refresh = new RefreshTokens(secret);
const accountId = randomUUID();
const signInId = randomUUID();
const good = {
  algorithm: 'HS256',
  issuer: 'openfactory',
  audience: 'openfactory-api',
  subject: accountId,
  expiresIn: 900,
} as const;
const forged = (
  options: jwt.SignOptions,
  { key = secret.derive('access-token'), claims = { sid: signInId } }: { key?: jwt.Secret; claims?: object } = {},
) => jwt.sign(claims, key, { ...good, ...options });
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = Math.floor(Date.now() / 1000);
const payload = { sub: accountId, sid: signInId, iss: 'openfactory', aud: 'openfactory-api', exp: now + 900 };

describe('AccessTokens', () => {
  it('reads what it issued, and nothing else is in it', async () => {
    const token = tokens.issue({ accountId, signInId });
    expect(await tokens.read(`Bearer ${token}`)).toEqual({ accountId, signInId });
    expect(jwt.decode(token, { complete: true })).toMatchObject({
      header: { alg: 'HS256' },
      payload: { sub: accountId, sid: signInId, iss: 'openfactory', aud: 'openfactory-api', exp: expect.any(Number) },
    });
    expect(await tokens.read(`Bearer ${forged({})}`)).toEqual({ accountId, signInId });
  });

  it.each<[string, string]>([
    ['no signature and alg none', `${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.`],
    [
      'alg none and the signature of a good one',
      `${part({ alg: 'none' })}.${part(payload)}.${forged({}).split('.')[2]}`,
    ],
    ['another algorithm of the same key', forged({ algorithm: 'HS512' })],
    ['another key', forged({}, { key: 'k'.repeat(32) })],
    ['the key of refresh tokens', forged({}, { key: secret.derive('refresh-token') })],
    ['an empty key', `${part({ alg: 'HS256' })}.${part(payload)}.`],
    ['another audience', forged({ audience: 'openfactory-other' })],
    ['another issuer', forged({ issuer: 'elsewhere' })],
    ['a time that is over', forged({ expiresIn: -1 })],
    ['a time that has not begun', forged({ notBefore: 60 })],
    ['a subject that is no account', forged({ subject: "x' OR 1=1" })],
    ['no session', forged({}, { claims: {} })],
    ['a refresh token', refresh.issue({ signInId, count: 0 })],
    ['nothing', ''],
    ['dots', '..'],
    [
      'a changed payload',
      (() => {
        const [head, , mac] = forged({}).split('.');
        return `${head}.${part({ ...payload, sub: randomUUID() })}.${mac}`;
      })(),
    ],
  ])('refuses %s', async (_, token) => {
    await expect(tokens.read(`Bearer ${token}`)).rejects.toMatchObject({
      kind: 'unauthenticated',
      reason: 'invalid_token',
      hint: expect.any(String),
    });
  });

  it('does not mix up requests that come at once', async () => {
    const claims = Array.from({ length: 20 }, () => ({ accountId: randomUUID(), signInId: randomUUID() }));
    expect(await Promise.all(claims.map((each) => tokens.read(`Bearer ${tokens.issue(each)}`)))).toEqual(claims);
  });
});

describe('RefreshTokens', () => {
  it('are the same for the same claims, and read back', () => {
    expect(refresh.issue({ signInId, count: 7 })).toBe(refresh.issue({ signInId, count: 7 }));
    expect(refresh.issue({ signInId, count: 7 })).not.toBe(refresh.issue({ signInId, count: 8 }));
    expect(refresh.read(refresh.issue({ signInId, count: 70_000 }))).toEqual({ signInId, count: 70_000 });
  });

  it.each([
    ['an access token', tokens.issue({ accountId, signInId })],
    ['one of another key', signClaims(secret.derive('access-token'), Buffer.alloc(20))],
    ['one of another length', signClaims(secret.derive('refresh-token'), Buffer.alloc(16))],
    ['a changed one', refresh.issue({ signInId, count: 1 }).replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))],
    ['nothing', ''],
    ['something long', 'x'.repeat(100_000)],
  ])('reads nothing from %s', (_, token) => expect(refresh.read(token)).toBeUndefined());
});
