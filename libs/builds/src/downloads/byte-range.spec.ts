import { expect, it } from '@jest/globals';
import { parseRange } from './byte-range.js';

it.each([
  [undefined, undefined],
  ['bytes=0-3', { first: 0, last: 3 }],
  ['bytes=4-', { first: 4, last: 9 }],
  ['bytes=-3', { first: 7, last: 9 }],
  ['bytes=-99', { first: 0, last: 9 }],
  ['bytes=8-99', { first: 8, last: 9 }],
  ['bytes=9-9', { first: 9, last: 9 }],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=5-4', undefined],
  ['bytes=0-1,3-4', undefined],
  ['lines=0-1', undefined],
  ['bytes=-', undefined],
  ['bytes=a-b', undefined],
])('reads %p of ten bytes as %p', (header, range) => expect(parseRange(header, 10)).toEqual(range));

it('finds nothing in an empty file', () => {
  for (const header of ['bytes=0-', 'bytes=-1']) expect(parseRange(header, 0)).toBe('unsatisfiable');
});
