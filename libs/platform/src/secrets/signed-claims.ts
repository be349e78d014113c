import { createHmac, timingSafeEqual } from 'node:crypto';

const macBytes = 32;

/** Bytes and an HMAC-SHA256 over them, as base64url: whoever has the key made them. */
export function signClaims(key: Buffer, claims: Buffer): string {
  return Buffer.concat([claims, mac(key, claims)]).toString('base64url');
}

/** @returns the bytes that were signed, or undefined where the token is not one of this key with so many bytes */
export function readClaims(key: Buffer, token: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(token.slice(0, 256), 'base64url');
  // Only the one spelling that was signed: base64url has spare bits at its end, and decoding skips foreign characters.
  if (bytes.length !== length + macBytes || bytes.toString('base64url') !== token) return undefined;
  const claims = bytes.subarray(0, length);
  return timingSafeEqual(mac(key, claims), bytes.subarray(length)) ? claims : undefined;
}

export const uuidBytes = 16;
export const bytesOfUuid = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
export const uuidOfBytes = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const principalKinds = ['', 'key', 'session'];
export const principalBytes = 1 + uuidBytes;

/** By whom a token was made, `key:<uuid>` or `session:<uuid>`, so that it ends with them; nothing for anonymous callers. */
export function writePrincipal(claims: Buffer, at: number, principalId: string | undefined): void {
  const [kind = '', id] = principalId?.split(':', 2) ?? [];
  claims[at] = principalKinds.indexOf(kind);
  if (id) claims.set(bytesOfUuid(id), at + 1);
}

export function readPrincipal(claims: Buffer, at: number): string | undefined {
  const kind = principalKinds[claims[at] ?? 0];
  return kind ? `${kind}:${uuidOfBytes(claims.subarray(at + 1, at + principalBytes))}` : undefined;
}

const mac = (key: Buffer, claims: Buffer) => createHmac('sha256', key).update(claims).digest();
