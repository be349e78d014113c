import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { refusal } from './manifest.js';

/**
 * An archive ends with the SHA-256 of everything before it, in a skippable frame of Zstandard (RFC 8878, 3.1.2): every zstd and tar
 * reads over it. So a damaged archive is known before a byte of it is unpacked.
 */
const magic = 0x184d2a5e;
const digestBytes = 32;
export const sealBytes = 8 + digestBytes;

export function seal(digest: Buffer): Buffer {
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt32LE(digest.length, 4);
  return Buffer.concat([frame, digest]);
}

/** @throws AppError where the archive is cut short or any byte of it has changed */
export async function checkSeal(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const end = Buffer.alloc(sealBytes);
    if (size <= sealBytes) throw damaged(file);
    await handle.read(end, 0, sealBytes, size - sealBytes);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file, { end: size - sealBytes - 1, highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
    if (!seal(hash.digest()).equals(end)) throw damaged(file);
  } finally {
    await handle.close();
  }
}

const damaged = (file: string) =>
  refusal(
    `${file} is damaged, incomplete, or no backup of OpenFactory.`,
    'Nothing was touched; use another copy of the archive.',
  );
