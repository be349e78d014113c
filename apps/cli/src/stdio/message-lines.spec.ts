import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messageLines, oneLine } from './message-lines.js';

function* inPieces(bytes: Buffer, sizes: number[]): Generator<Buffer> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
const linesOf = async (text: string | Buffer, sizes = [1 << 20], longest?: number) => {
  const lines: (string | null)[] = [];
  for await (const line of messageLines(Readable.from(inPieces(Buffer.from(text), sizes)), longest)) lines.push(line);
  return lines;
};

describe('messageLines', () => {
  it('ends a message with a newline and with nothing else', async () => {
    const message = JSON.stringify({ a: 'line\u2028paragraph\u2029next\u0085', b: '\\r' });
    expect(await linesOf(`${message}\n{"b":1}\r\n\r{"c":2}\n`)).toEqual([message, '{"b":1}', '\r{"c":2}']);
  });

  it('leaves out a byte order mark at the start, and takes a last line without a newline', async () => {
    expect(await linesOf('\uFEFF{"a":1}\n\uFEFF{"b":2}')).toEqual(['{"a":1}', '\uFEFF{"b":2}']);
    expect(await linesOf('\uFEFF{"a":1}\n', [1])).toEqual(['{"a":1}']);
  });

  it('keeps bytes that are no UTF-8 apart from the rest', async () => {
    expect(await linesOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22, 0x0a, 0x31]))).toEqual([
      '"\uFFFD\uFFFD\uFFFD"',
      '1',
    ]);
  });

  it('tells of a line that is too long, keeps none of it, and goes on with the next', async () => {
    expect(await linesOf(`${'x'.repeat(1_000)}\n{"a":1}\n`, [7], 100)).toEqual([null, '{"a":1}']);
  });

  it('gives back whatever messages were sent, however they come in pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue()),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (values, sizes) => {
          const lines = await linesOf(values.map((value) => `${JSON.stringify(value)}\n`).join(''), sizes);
          expect(lines.map((line) => JSON.parse(line!) as unknown)).toEqual(
            values.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
          );
        },
      ),
    );
  });
});

describe('oneLine', () => {
  it('puts laid out JSON on one line and changes no value', () => {
    const value = { text: 'a\r\nb\u2028c\u2029d\u0085e', list: [1, { big: 1 }] };
    const line = oneLine(`\r\n${JSON.stringify(value, null, 2).replaceAll('\n', '\r\n')}\r\n`);
    expect(line).not.toMatch(/[\r\n\u0085\u2028\u2029]/);
    expect(JSON.parse(line)).toEqual(value);
  });

  it('leaves numbers as they were written', () =>
    expect(oneLine('{\n"n": 12345678901234567890 }')).toBe('{ "n": 12345678901234567890 }'));
});
