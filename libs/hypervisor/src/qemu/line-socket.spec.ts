import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { LineSocket, parseObject, turnLimits, type UnaskedBudget } from './line-socket.js';

const budget: UnaskedBudget = { lines: 200, linesPerSecond: 10, bytes: 1 << 20, bytesPerSecond: 1_000 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A socket that always has more: the pieces in turn, as often as it is read. */
class FakeSocket extends Duplex {
  read_ = 0;

  constructor(private readonly next: (index: number) => Buffer | null) {
    super({ readableHighWaterMark: 64 << 10 });
  }

  override _read(): void {
    const piece = this.next(this.read_++);
    this.push(piece);
  }

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

interface Attack {
  pieces: (index: number) => Buffer | null;
  /** Whether somebody had asked for the lines. */
  isAsked?: boolean;
  maxLineBytes?: number;
  turns?: number;
}

/** What came of it, in counts. */
async function suffer({ pieces, isAsked = false, maxLineBytes = 64 << 10, turns = 400 }: Attack) {
  const socket = new FakeSocket(pieces);
  const ends: Error[] = [];
  let [lines, mostLines, mostBytes, others] = [0, 0, 0, 0];
  const seen: string[] = [];
  const line = new LineSocket(socket as unknown as Socket, {
    ...{ peer: 'guest helper', budget, maxLineBytes, now: () => 0 },
    onLine: (text) => {
      lines++;
      mostBytes = Math.max(mostBytes, text.length);
      if (seen.length < 10) seen.push(text.toString());
      return isAsked;
    },
    onClosed: (error) => ends.push(error),
  });
  for (let count = 0; count < turns && !line.isClosed; count++) {
    const before = lines;
    await turn();
    others++;
    mostLines = Math.max(mostLines, lines - before);
  }
  const bytes = socket.read_;
  if (!line.isClosed) line.close(new Error('the test is over'));
  await turn();
  return { lines, mostLines, mostBytes, others, ends, seen, pieces: bytes };
}

describe('lines of a peer that floods', () => {
  it('of nothing but newlines has its budget and no more, few in each turn, and is cut off with a sentence', async () => {
    const { lines, mostLines, others, ends } = await suffer({ pieces: () => Buffer.alloc(64 << 10, '\n') });
    expect(lines).toBe(budget.lines + 1);
    expect(mostLines).toBeLessThanOrEqual(turnLimits.lines);
    // The others had their turns meanwhile.
    expect(others).toBeGreaterThanOrEqual(3);
    expect(ends).toEqual([
      expect.objectContaining({
        reason: 'guest_flooded',
        message: 'The guest helper sent more than 200 lines that nobody asked for, and was cut off.',
      }),
    ]);
  });

  it('keeps no more of a line than a line may have, however it comes', async () => {
    for (const piece of [64 << 10, 100, 1]) {
      const { lines, ends, pieces } = await suffer({ pieces: () => Buffer.alloc(piece, 'x'), turns: 20_000 });
      expect(lines).toBe(0);
      expect(ends).toEqual([expect.objectContaining({ reason: 'guest_flooded' })]);
      expect(pieces).toBeLessThanOrEqual(Math.ceil((1 << 20) / 256) + (2 * (64 << 10)) / piece);
    }
  });

  it('reads no more than it works on: what comes meanwhile stays with the peer', async () => {
    const { mostLines, pieces, lines } = await suffer({
      pieces: () => Buffer.alloc(64 << 10, 'y\n'),
      isAsked: true,
      turns: 300,
    });
    expect(mostLines).toBeLessThanOrEqual(turnLimits.lines);
    expect(lines).toBeGreaterThan(turnLimits.lines * 50);
    // Each piece holds 32768 lines.
    expect(pieces).toBeLessThanOrEqual(Math.ceil(lines / 32_768) + 4);
  });

  it('is not cut off for what was asked for', async () => {
    const { lines, ends } = await suffer({
      pieces: (index) => (index < 300 ? Buffer.from('x'.repeat(10_000) + '\n') : Buffer.alloc(0)),
      isAsked: true,
      turns: 600,
    });
    expect(lines).toBe(300);
    expect(ends).toEqual([expect.objectContaining({ message: 'the test is over' })]);
  });

  it.each<[string, Buffer, string[]]>([
    ['half a UTF-8 character', Buffer.concat([Buffer.of(0xe2, 0x82), Buffer.from('\n')]), ['\ufffd']],
    ['a lone carriage return', Buffer.from('a\rb\r\nc\n'), ['a\rb\r', 'c']],
    ['lines in pieces', Buffer.from('a\n\nb\n'), ['a', '', 'b']],
  ])('takes %s for what it is', async (_what, bytes, expected) => {
    for (const step of [1, 2, bytes.length]) {
      const pieces = (index: number) =>
        index * step < bytes.length ? bytes.subarray(index * step, (index + 1) * step) : Buffer.alloc(0);
      expect((await suffer({ pieces, turns: 50 })).seen).toEqual(expected);
    }
  });
});

describe('a message of a stranger', () => {
  it.each<[string, string]>([
    ['nested 100,000 deep', '['.repeat(100_000)],
    ['nested 100,000 deep in an object', `{"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}`],
    ['of 100,000 values', `{"return": [${'1,'.repeat(100_000)}1]}`],
  ])('%s is not parsed', (_what, text) => {
    expect(() => parseObject(Buffer.from(text))).toThrow('more than 10000 values');
  });

  it('with a number of a megabyte is a number without end', () => {
    expect(parseObject(Buffer.from(`{"return": ${'9'.repeat(1_000_000)}}`))).toEqual({ return: Infinity });
  });

  it('may be as large as an honest answer', () => {
    expect(parseObject(Buffer.from(JSON.stringify({ return: { 'out-data': 'A'.repeat(700_000) } })))).toHaveProperty(
      'return',
    );
  });
});
