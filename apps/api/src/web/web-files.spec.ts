import { describe, expect, it } from '@jest/globals';
import { withBase } from './web-files.js';

/** What a browser makes of the base in the page at this address. */
const baseAt = (address: string, seenPath: string) => {
  const [, href = ''] = /<base href="([^"]+)"/.exec(withBase('<html><head></head></html>', seenPath)) ?? [];
  return new URL(href, address).pathname;
};

describe('the base of the page', () => {
  it.each(['/', '/account', '/console/vm', '/console/', '/a/b/c/', '/builds/1/log'])(
    'is the root of the factory at %s, also below a path that a proxy takes away',
    (path) => {
      expect(baseAt(`http://factory.example${path}`, path)).toBe('/');
      expect(baseAt(`https://example.org/factory${path}#token=x`, path)).toBe('/factory/');
    },
  );
});
