import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError, errorMessage } from '#libs/platform';

/** What get_iso_download_url says, as far as it is used. */
export interface IsoDownload {
  url: string;
  file_name: string;
  size_bytes: number;
  sha256: string;
}

/**
 * Downloads into `dir`, checking size and sha256 on the way. The file has its name only once it is right; before, and if anything goes
 * wrong never, it is `<name>.partial`.
 * @returns the file
 */
export async function downloadImage(
  { url, file_name, size_bytes, sha256 }: IsoDownload,
  dir: string,
  { onBytes, signal }: { onBytes: (bytes: number) => void; signal: AbortSignal },
): Promise<string> {
  const file = path.join(dir, path.basename(file_name));
  const partial = `${file}.partial`;
  try {
    await mkdir(dir, { recursive: true });
    const answer = await fetch(url, { signal });
    if (!answer.ok || !answer.body) throw new Error(`the factory answered ${answer.status}`);
    const hash = createHash('sha256');
    let bytes = 0;
    const check = new Transform({
      transform(chunk: Buffer, _encoding, callback) {
        hash.update(chunk);
        onBytes((bytes += chunk.length));
        callback(bytes > size_bytes ? new Error('it is larger than promised') : null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(answer.body as never), check, createWriteStream(partial, { flush: true }), {
      signal,
    });
    if (bytes !== size_bytes) throw new Error(`it ended after ${bytes} of ${size_bytes} bytes`);
    if (hash.digest('hex') !== sha256) throw new Error('its sha256 is not the promised one');
    await rename(partial, file);
    return file;
  } catch (error) {
    await rm(partial, { force: true });
    signal.throwIfAborted();
    throw new AppError({
      kind: 'unavailable',
      reason: 'download_failed',
      message: `The image could not be downloaded to ${file}: ${errorMessage(error)}.`,
      hint: 'The build is kept; get_iso_download_url gives a new URL.',
      cause: error,
    });
  }
}
