import { expect, it } from '@jest/globals';
import { withoutPaths } from './without-paths.js';

it.each([
  [
    "ENAMETOOLONG: name too long, rmdir '/srv/of/builds/cache/configure/ab.partial-1/layer/d/d'",
    "ENAMETOOLONG: name too long, rmdir '…'",
  ],
  [
    'sh failed: mount: /srv/of/builds/work/x: permission denied | /srv/of/builds',
    'sh failed: mount: …: permission denied | …',
  ],
  ['nothing of the host here: /srv/other/builds', 'nothing of the host here: /srv/other/builds'],
])('%s', (text, shown) => {
  expect(withoutPaths(text, '/srv/of/builds')).toBe(shown);
});
