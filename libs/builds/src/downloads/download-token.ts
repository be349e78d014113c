import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '#libs/platform';

export interface DownloadGrant {
  buildId: string;
  artifactId: string;
  expiresAt: Date;
}

const uuidBytes = 16;
const timeBytes = 6;
const macBytes = 32;
const tokenBytes = 2 * uuidBytes + timeBytes + macBytes;

/** build id, artifact id, expiry (seconds), HMAC-SHA256 over the three; base64url. Whoever has it may read that one artifact. */
export function signDownload(key: Buffer, { buildId, artifactId, expiresAt }: DownloadGrant): string {
  const claims = Buffer.alloc(2 * uuidBytes + timeBytes);
  claims.set(bytesOf(buildId));
  claims.set(bytesOf(artifactId), uuidBytes);
  claims.writeUIntBE(Math.floor(expiresAt.getTime() / 1000), 2 * uuidBytes, timeBytes);
  return Buffer.concat([claims, mac(key, claims)]).toString('base64url');
}

/** @throws AppError `download_link_invalid`, `download_link_expired` */
export function readDownload(key: Buffer, token: string, now: Date): DownloadGrant {
  const bytes = Buffer.from(token.slice(0, 256), 'base64url');
  // Only the one spelling that was signed: base64url has spare bits at its end, and decoding skips foreign characters.
  if (bytes.length !== tokenBytes || bytes.toString('base64url') !== token) throw invalidLink();
  const claims = bytes.subarray(0, tokenBytes - macBytes);
  if (!timingSafeEqual(mac(key, claims), bytes.subarray(tokenBytes - macBytes))) throw invalidLink();
  const expiresAt = new Date(claims.readUIntBE(2 * uuidBytes, timeBytes) * 1000);
  if (expiresAt <= now) throw new AppError({ kind: 'forbidden', reason: 'download_link_expired', message: 'This download link has expired.', hint: 'get_iso_download_url gives a new one.' });
  return { buildId: uuidOf(claims.subarray(0, uuidBytes)), artifactId: uuidOf(claims.subarray(uuidBytes, 2 * uuidBytes)), expiresAt };
}

const mac = (key: Buffer, claims: Buffer) => createHmac('sha256', key).update(claims).digest();
const bytesOf = (uuid: string) => Buffer.from(uuid.replaceAll('-', ''), 'hex');
const uuidOf = (bytes: Buffer) => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

function invalidLink(): AppError {
  return new AppError({ kind: 'forbidden', reason: 'download_link_invalid', message: 'This is not a download link of this factory.', hint: 'Copy the whole link; get_iso_download_url gives a new one.' });
}
