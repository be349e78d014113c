import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { runProgram } from '#libs/platform';

/** The words on a picture of a screen, by tesseract(1): light on dark and small, as consoles are, is not what it was trained on. */
export async function readScreen(png: Buffer): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-screen-'));
  try {
    const { width = 0 } = await sharp(png).metadata();
    const file = path.join(dir, 'screen.png');
    await writeFile(
      file,
      await sharp(png)
        .greyscale()
        .negate()
        .resize({ width: width * 3, kernel: 'cubic' })
        .extend({ top: 30, bottom: 30, left: 30, right: 30, background: 'white' })
        .png()
        .toBuffer(),
    );
    // One thread: with more it takes many times as long on a machine that is busy.
    return (
      await runProgram('tesseract', [file, '-', '--psm', '6', '-l', 'eng'], {
        deadlineMs: 120_000,
        env: { OMP_THREAD_LIMIT: '1' },
      })
    ).stdout;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
