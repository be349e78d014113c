import pLimit from 'p-limit';
import sharp from 'sharp';
import type { Guest } from '../hypervisor.port.js';
import { guestError } from '../guest-error.js';

/** A guest's screen, always as PNG in the guest's own size. */
export interface Screenshot {
  png: Buffer;
  width: number;
  height: number;
  /** Its colours were reduced to a palette, because it was large. */
  reduced: boolean;
}

/** Pictures travel inside answers as base64; beyond this a palette serves them better. */
const largeBytes = 700_000;
const maxSide = 8192;
/** The largest screens there are (8K UHD). */
const mostPixels = 7680 * 4320;
/** Answers are text: noise on a large screen, which nothing makes small, would hold the event loop for its base64. */
const mostBytes = 4 << 20;
/** Decoding is done in the threads that files are read in too: guests with large screens must not have them all. */
const takeTurn = pLimit(2);
const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * A guest is hostile, and so may be what pictures its screen: what cannot be decoded, or is of a size that no screen has, is not passed on.
 * @throws AppError `screenshot_failed`, `guest_ended`
 */
export async function takeScreenshot(guest: Guest): Promise<Screenshot> {
  const png = await guest.screenshot();
  const size = sizeOf(png);
  // The parameters of a decoder of strangers' data: one pass in bounded memory, and no tolerance.
  const decode = () => sharp(png, { limitInputPixels: mostPixels, sequentialRead: true, failOn: 'warning' });
  const reduced = png.length > largeBytes;
  try {
    // One pixel of output makes the decoder read them all, and keeps none.
    const output = await takeTurn(() =>
      reduced
        ? decode().png({ palette: true, effort: 1 }).toBuffer()
        : decode().resize(1, 1, { kernel: 'nearest' }).raw().toBuffer(),
    );
    if (output.length <= mostBytes) return { png: reduced ? output : png, ...size, reduced };
  } catch (cause) {
    throw unfit('cannot be decoded', cause);
  }
  throw unfit(`of ${size.width}x${size.height} pixels has too much in it to be sent`);
}

/** From IHDR, which comes first (PNG specification, 11.2.1). */
function sizeOf(png: Buffer): { width: number; height: number } {
  if (png.length < 33 || !png.subarray(0, 8).equals(signature) || png.toString('latin1', 12, 16) !== 'IHDR')
    throw unfit('is no PNG');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  if (!width || !height || width > maxSide || height > maxSide || width * height > mostPixels)
    throw unfit(`claims to be ${width}x${height} pixels`);
  return { width, height };
}

function unfit(why: string, cause?: unknown): Error {
  return guestError('screenshot_failed', `The picture of the guest’s screen ${why}.`, { cause });
}
