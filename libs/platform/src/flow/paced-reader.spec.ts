import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PacedReader, type ReadingRate } from './paced-reader.js';
import { TokenBucket } from './token-bucket.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const rate: ReadingRate = { bytesPerTurn: 100, bytesPerSecond: 1_000, burstBytes: 1_000_000, leastPieceBytes: 1 };

/** Has more at once, whenever it is read. */
function endless(bytes: number): Readable {
  return new Readable({
    highWaterMark: 1,
    read() {
      this.push(Buffer.alloc(bytes));
    },
  });
}

/** Bytes that came in each of so many turns of the event loop. */
async function bytesByTurn(stream: Readable, given: ReadingRate, turns: number): Promise<number[]> {
  let bytes = 0;
  const reader = new PacedReader(
    stream,
    given,
    (piece) => void (bytes += piece.length),
    () => 0,
  );
  const counts: number[] = [];
  for (let count = 0; count < turns; count++) {
    bytes = 0;
    await turn();
    counts.push(bytes);
  }
  reader.hold();
  stream.destroy();
  return counts;
}

describe('PacedReader', () => {
  it('gives the event loop back after so many bytes, and goes on in the next turn', async () => {
    const counts = await bytesByTurn(endless(10), rate, 50);
    expect(Math.max(...counts)).toBeLessThanOrEqual(110);
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(20);
  });

  it('counts a piece for no less than it costs', async () => {
    const counts = await bytesByTurn(endless(1), { ...rate, leastPieceBytes: 50 }, 50);
    expect(Math.max(...counts)).toBeLessThanOrEqual(3);
    expect(Math.max(...counts)).toBeGreaterThan(0);
  });

  it('reads nothing while it is held', async () => {
    let pieces = 0;
    const stream = endless(10);
    const reader: PacedReader = new PacedReader(stream, rate, () => void (++pieces && reader.hold()));
    for (let count = 0; count < 20; count++) await turn();
    expect(pieces).toBe(1);
    reader.release();
    for (let count = 0; count < 20; count++) await turn();
    expect(pieces).toBe(2);
    stream.destroy();
  });

  describe('over a second', () => {
    beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
    afterEach(() => void jest.useRealTimers());

    it('lets through its burst, and then what a second allows', async () => {
      let bytes = 0;
      const stream = endless(10);
      new PacedReader(
        stream,
        { ...rate, burstBytes: 500 },
        (piece) => void (bytes += piece.length),
        () => Date.now(),
      );
      for (let count = 0; count < 50; count++) await turn();
      const burst = bytes;
      for (let step = 0; step < 100; step++) {
        jest.advanceTimersByTime(10);
        for (let count = 0; count < 3; count++) await turn();
      }
      stream.destroy();
      expect(burst).toBeGreaterThanOrEqual(500);
      expect(burst).toBeLessThanOrEqual(520);
      expect(bytes - burst).toBeGreaterThan(500);
      expect(bytes - burst).toBeLessThanOrEqual(1_050);
    });
  });
});

describe('TokenBucket', () => {
  it('refills by the clock, up to its burst, and tells how long a debt takes', () => {
    let now = 0;
    const bucket = new TokenBucket(10, 20, () => now);
    expect([bucket.take(20), bucket.take(1)]).toEqual([true, false]);
    expect(bucket.debtMs).toBe(100);
    now = 100;
    expect(bucket.debtMs).toBe(0);
    now = 1_000_000;
    bucket.giveBack(1_000);
    expect([bucket.take(20), bucket.take(1)]).toEqual([true, false]);
  });
});
