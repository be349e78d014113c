import { describe, expect, it } from '@jest/globals';
import { isApiKey, makeApiKey, shownPrefix } from './api-key.js';

describe('an API key', () => {
  it('has its mark, 30 random characters and 6 of a checksum', () => {
    const keys = Array.from({ length: 500 }, makeApiKey);
    for (const key of keys) expect(key).toMatch(/^of_mcp_[0-9A-Za-z]{36}$/);
    expect(keys.every(isApiKey)).toBe(true);
    expect(new Set(keys).size).toBe(500);
    // Every character of the alphabet, in the random part and in the checksum.
    expect(new Set(keys.map((key) => key.slice(7, 37)).join('')).size).toBe(62);
  });

  it('is known by an example, so that keys of today stay keys', () => {
    expect(isApiKey('of_mcp_00000000000000000000000000000011ScQR')).toBe(true);
  });

  it('is not one with any single character changed, or with two neighbours exchanged', () => {
    const key = makeApiKey();
    for (let at = 0; at < key.length; at++) {
      const other = key[at] === 'x' ? 'y' : 'x';
      expect(isApiKey(key.slice(0, at) + other + key.slice(at + 1))).toBe(false);
      const [one, two] = [key[at], key[at + 1]];
      if (two !== undefined && one !== two)
        expect(isApiKey(`${key.slice(0, at)}${two}${one}${key.slice(at + 2)}`)).toBe(false);
    }
  });

  it.each(['', 'of_mcp_', 'of_mcp_nonsense', 'of_mcp_ключ', `of_mcp_${'0'.repeat(10_000)}`])('is not %p', (text) =>
    expect(isApiKey(text)).toBe(false),
  );

  it.each([' ', '\n', '\0', '='])('is not one with %j after it', (more) =>
    expect(isApiKey(makeApiKey() + more)).toBe(false),
  );

  it('is not one in other letters', () => {
    const key = makeApiKey();
    for (const other of [key.toUpperCase(), key.toLowerCase()]) expect(isApiKey(other)).toBe(false);
  });

  it('shows five characters of its secret', () => {
    const key = makeApiKey();
    expect(shownPrefix(key)).toBe(key.slice(0, 12));
  });
});
