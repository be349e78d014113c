import {
  AppError,
  bytesOfUuid,
  principalBytes,
  readClaims,
  readPrincipal,
  signClaims,
  uuidBytes,
  uuidOfBytes,
  writePrincipal,
} from '#libs/platform';

export interface DownloadGrant {
  buildId: string;
  artifactId: string;
  expiresAt: Date;
  /** Who asked for it, `key:<uuid>` or `session:<uuid>`: it ends with them. Undefined for anonymous callers. */
  principalId: string | undefined;
}

const timeBytes = 6;
const principalAt = 2 * uuidBytes + timeBytes;
const claimBytes = principalAt + principalBytes;

/** build id, artifact id, expiry (seconds), kind and id of the principal. Whoever has it may read that one artifact. */
export function signDownload(key: Buffer, { buildId, artifactId, expiresAt, principalId }: DownloadGrant): string {
  const claims = Buffer.alloc(claimBytes);
  claims.set(bytesOfUuid(buildId));
  claims.set(bytesOfUuid(artifactId), uuidBytes);
  claims.writeUIntBE(Math.floor(expiresAt.getTime() / 1000), 2 * uuidBytes, timeBytes);
  writePrincipal(claims, principalAt, principalId);
  return signClaims(key, claims);
}

/** @throws AppError `download_link_invalid`, `download_link_expired` */
export function readDownload(key: Buffer, token: string, now: Date): DownloadGrant {
  const claims = readClaims(key, token, claimBytes);
  if (!claims) throw invalidLink();
  const expiresAt = new Date(claims.readUIntBE(2 * uuidBytes, timeBytes) * 1000);
  if (expiresAt <= now)
    throw new AppError({
      kind: 'forbidden',
      reason: 'download_link_expired',
      message: 'This download link has expired.',
      hint: 'get_iso_download_url gives a new one.',
    });
  return {
    buildId: uuidOfBytes(claims.subarray(0, uuidBytes)),
    artifactId: uuidOfBytes(claims.subarray(uuidBytes, 2 * uuidBytes)),
    expiresAt,
    principalId: readPrincipal(claims, principalAt),
  };
}

function invalidLink(): AppError {
  return new AppError({
    kind: 'forbidden',
    reason: 'download_link_invalid',
    message: 'This is not a download link of this factory.',
    hint: 'Copy the whole link; get_iso_download_url gives a new one.',
  });
}
