import { hkdfSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import writeFileAtomic from 'write-file-atomic';

/** The secret everything is derived from. Purposes keep keys apart: two purposes never share a key (HKDF info, RFC 5869). */
export class FactorySecret {
  constructor(private readonly secret: string) {}

  /** @returns `length` bytes that only this purpose gets */
  derive(purpose: string, length = 32): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, 'openfactory', purpose, length));
  }
}

/** Reads the secret of an embedded installation, making it first where there is none. The file is complete or absent, never half-written. */
export async function keepSecret(dataDir: string): Promise<string> {
  const file = path.join(dataDir, 'secret');
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (kept !== undefined && kept.trim().length >= 32) return kept.trim();
  const secret = randomBytes(48).toString('base64url');
  await writeFileAtomic(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}
