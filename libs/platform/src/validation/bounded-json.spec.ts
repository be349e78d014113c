import { describe, expect, it } from '@jest/globals';
import { countWork } from '../../../../test/support/count-work.js';
import { holdsMoreValues, mostValues, parseJson } from './bounded-json.js';

const refusal = expect.objectContaining({ kind: 'too_large', reason: 'too_many_values' });
const fields = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, 0])));

describe('JSON of strangers', () => {
  it.each([
    ['1', 0],
    ['{}', 1],
    ['{"a":1}', 1],
    ['{"a":1,"b":[1,2,{}]}', 6],
    ['"a,b[{"', 0],
    [String.raw`["\",[{,\\",","]`, 2],
    [String.raw`["\\\\",1]`, 2],
    ['"\\', 0],
  ])('%s counts as %d values', (text, values) =>
    expect([...Array(10).keys()].find((most) => !holdsMoreValues(text, most))).toBe(values),
  );

  it('is read as JSON.parse reads it', () => {
    const value = { a: [1, 'b, "c"', { d: null }], e: '\\' };
    expect(parseJson(JSON.stringify(value))).toEqual(value);
    expect(() => parseJson('{"a":')).toThrow(SyntaxError);
    expect(Object.keys(parseJson(fields(mostValues - 1)) as object)).toHaveLength(mostValues - 1);
  });

  it.each([
    ['fields', fields(99_000)],
    ['entries', JSON.stringify(Array(400_000).fill('a'))],
    ['objects', JSON.stringify(Array(400_000).fill({}))],
    ['lists in lists', '['.repeat(1_000_000)],
  ])('is not read at all where it holds too many %s', async (_what, text) => {
    let parsed = 0;
    const { parse } = JSON;
    JSON.parse = ((...args: Parameters<typeof parse>) => (parsed++, parse(...args) as unknown)) as typeof parse;
    try {
      const work = await countWork(() => expect(() => parseJson(text)).toThrow(refusal));
      // Some characters for each value up to the bound, whatever comes after it.
      expect(work).toBeLessThan(mostValues * 8);
      expect(parsed).toBe(0);
    } finally {
      JSON.parse = parse;
    }
  });

  it('costs a step per character at most where its strings are full of escapes', async () => {
    for (const text of [
      JSON.stringify('"'.repeat(500_000)),
      JSON.stringify('\\'.repeat(500_000)),
      JSON.stringify('\\"'.repeat(250_000)),
    ]) {
      expect(await countWork(() => holdsMoreValues(text, mostValues))).toBeLessThan(3 * text.length);
    }
  });
});
