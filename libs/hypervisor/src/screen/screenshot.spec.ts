import { randomFillSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import sharp from 'sharp';
import { FakeGuest } from '../testing/fake-hypervisor.js';
import { takeScreenshot } from './screenshot.js';

const guestShowing = (screen: Buffer) =>
  new FakeGuest({ memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir: '' }, '', { screen });
const picture = async (width: number, height: number, pixels = Buffer.alloc(width * height * 3, 90)) =>
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

/** A PNG whose header claims this size. */
async function claiming(width: number, height: number): Promise<Buffer> {
  const png = Buffer.from(await picture(4, 4));
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  return png;
}

describe('takeScreenshot', () => {
  it('hands on what the guest shows, with its size', async () => {
    const png = await picture(320, 200);
    expect(await takeScreenshot(guestShowing(png))).toEqual({ png, width: 320, height: 200, reduced: false });
  });

  it('reduces the colours of a large picture, and keeps it a PNG of its size', async () => {
    const photo = await picture(800, 600, randomFillSync(Buffer.alloc(800 * 600 * 3)));
    expect(photo.length).toBeGreaterThan(700_000);
    const taken = await takeScreenshot(guestShowing(photo));
    expect(taken).toMatchObject({ width: 800, height: 600, reduced: true });
    expect(taken.png.length).toBeLessThan(photo.length / 2);
    expect(await sharp(taken.png).metadata()).toMatchObject({
      format: 'png',
      width: 800,
      height: 600,
      isPalette: true,
    });
  });

  it.each<[string, () => Promise<Buffer>]>([
    ['nothing', () => Promise.resolve(Buffer.alloc(0))],
    ['no PNG', () => Promise.resolve(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))],
    [
      'a JPEG',
      async () =>
        await sharp(await picture(64, 64))
          .jpeg()
          .toBuffer(),
    ],
    [
      'half a PNG',
      async () => (await picture(320, 200, randomFillSync(Buffer.alloc(320 * 200 * 3)))).subarray(0, 90_000),
    ],
    [
      'a PNG with broken pixels',
      async () => Buffer.from(await picture(320, 200, randomFillSync(Buffer.alloc(320 * 200 * 3)))).fill(7, 1000, 2000),
    ],
    ['a PNG of no size', () => claiming(0, 10)],
    ['a PNG wider than any screen', () => claiming(8193, 10)],
    ['a PNG higher than any screen', () => claiming(10, 4_000_000_000)],
    ['a PNG of more pixels than any screen', () => claiming(8000, 8000)],
    [
      'noise that no palette makes small',
      async () => await picture(3000, 2000, randomFillSync(Buffer.alloc(3000 * 2000 * 3))),
    ],
    ['a PNG that lies about its size', () => claiming(4000, 4000)],
  ])('refuses %s', async (_what, make) => {
    await expect(takeScreenshot(guestShowing(await make()))).rejects.toMatchObject({ reason: 'screenshot_failed' });
  });

  it('says that a guest is gone', async () => {
    const guest = guestShowing(await picture(4, 4));
    await guest.quit();
    await expect(takeScreenshot(guest)).rejects.toMatchObject({ reason: 'guest_ended' });
  });
});
