import { AppError } from '#libs/platform';
import { runOnTree } from './tree-sandbox.js';

/** Of a path in an image. Programs that go by paths, in the factory and in the image, are given 4,095 (PATH_MAX), and the layer's own place comes before it. */
export const longestPathBytes = 3_000;
const tooLong = 9;

/** Stops at the first that is too long, however many there are. */
const script = 'find "$1" -mindepth 1 -printf "%P\\0" | perl -0 -ne "chomp; exit $3 if length > $2"';

/** @throws AppError `path_too_long`, the caller's fault: what lies so deep could not be packed, and nothing is left out in silence */
export async function requireShortPaths(
  tree: string,
  { signal, mounts }: { signal: AbortSignal; mounts?: number },
): Promise<void> {
  const { code } = await runOnTree('sh', ['-c', script, 'sh', tree, String(longestPathBytes), String(tooLong)], {
    deadlineMs: 5 * 60_000,
    signal,
    ...(mounts && { mounts }),
    okCodes: [0, tooLong],
  });
  if (code === tooLong)
    throw new AppError({
      kind: 'invalid',
      reason: 'path_too_long',
      message: `The image would hold a path of more than ${longestPathBytes} bytes.`,
      hint: 'Look for what makes directories in each other: a maintainer script of one of the packages.',
    });
}
