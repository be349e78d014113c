import { describe, expect, it } from '@jest/globals';
import { isoIdentity } from './iso-identity.js';

const imageId = 'a1b2c3d4e5f60718a1b2c3d4e5f60718';
const epochSeconds = Date.UTC(2026, 0, 31, 23, 59, 59) / 1000;

describe('isoIdentity', () => {
  it('is a function of its input alone', () => {
    expect(isoIdentity(imageId, epochSeconds)).toEqual(isoIdentity(imageId, epochSeconds));
    expect(isoIdentity(imageId, epochSeconds)).toMatchObject({
      volumeId: 'OF_A1B2C3D4',
      markerName: `of-${imageId}`,
      persistenceLabel: 'of-a1b2c3d4e5f',
    });
  });

  it('keeps the minute of the epoch, and tells images of one epoch apart', () => {
    const dates = new Set(
      Array.from(
        { length: 50 },
        (_, index) => isoIdentity(`${imageId}${index}0`.slice(-16), epochSeconds).modificationDate,
      ),
    );
    for (const date of dates) expect(date).toMatch(/^202601312359[0-5]\d\d\d$/);
    expect(dates.size).toBeGreaterThan(45);
  });

  it('gives an ext4 label of at most 16 bytes and a GUID of version 4', () => {
    expect(isoIdentity(imageId, epochSeconds).persistenceLabel.length).toBeLessThanOrEqual(16);
    expect(isoIdentity(imageId, epochSeconds).diskGuid).toMatch(/^[0-9a-f]{14}4[0-9a-f][89ab][0-9a-f]{15}$/);
  });

  it.each([['short'], ['A1B2C3D4E5F60718'], ['../../etc/passwd-0000'], [`${imageId}'`]])('refuses the id %p', (id) => {
    expect(() => isoIdentity(id, epochSeconds)).toThrow('hex digits');
  });

  it.each([[0], [1.5], [Number.NaN], [5e9]])('refuses the epoch %p', (epoch) => {
    expect(() => isoIdentity(imageId, epoch)).toThrow('epoch');
  });
});
