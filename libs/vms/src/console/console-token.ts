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

export interface ConsoleGrant {
  vmId: string;
  /** Sees the screen, and can press nothing. */
  viewOnly: boolean;
  /** By then the console must have been opened. */
  expiresAt: Date;
  /** Whose console it is, `key:<uuid>` or `session:<uuid>`: it ends with them. Undefined for anonymous callers. */
  principalId: string | undefined;
}

const timeBytes = 6;
const principalAt = uuidBytes + 1 + timeBytes;
const claimBytes = principalAt + principalBytes;

/** VM id, view-only flag, expiry (seconds), kind and id of the principal. Whoever has it may open the console of that one VM. */
export function signConsole(key: Buffer, { vmId, viewOnly, expiresAt, principalId }: ConsoleGrant): string {
  const claims = Buffer.alloc(claimBytes);
  claims.set(bytesOfUuid(vmId));
  claims[uuidBytes] = viewOnly ? 1 : 0;
  claims.writeUIntBE(Math.floor(expiresAt.getTime() / 1000), uuidBytes + 1, timeBytes);
  writePrincipal(claims, principalAt, principalId);
  return signClaims(key, claims);
}

/** @throws AppError `console_link_invalid`, `console_link_expired` */
export function readConsole(key: Buffer, token: string, now: Date): ConsoleGrant {
  const claims = readClaims(key, token, claimBytes);
  if (!claims)
    throw new AppError({
      kind: 'forbidden',
      reason: 'console_link_invalid',
      message: 'This is not a console link of this factory.',
      hint: 'Copy the whole link; get_vm_console_url gives a new one.',
    });
  const expiresAt = new Date(claims.readUIntBE(uuidBytes + 1, timeBytes) * 1000);
  if (expiresAt <= now)
    throw new AppError({
      kind: 'forbidden',
      reason: 'console_link_expired',
      message: 'This console link has expired.',
      hint: 'get_vm_console_url gives a new one.',
    });
  return {
    vmId: uuidOfBytes(claims.subarray(0, uuidBytes)),
    viewOnly: claims[uuidBytes] === 1,
    expiresAt,
    principalId: readPrincipal(claims, principalAt),
  };
}
