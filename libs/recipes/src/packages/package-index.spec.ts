import { describe, expect, it } from '@jest/globals';
import { FakePackageIndex } from '../testing/fake-package-index.js';
import { nearestNames } from './nearest-names.js';
import { packageIndexContract } from '../testing/package-index.contract.js';

describe('FakePackageIndex', () => packageIndexContract((packages) => Promise.resolve(new FakePackageIndex({ one: packages }))));

describe('nearestNames', () => {
  // The longest names of an archive have some 60 characters, and long ones are slow to compare.
  const known = Array.from({ length: 65_000 }, (_, at) => `a-package-with-a-long-name-for-a-library-${at.toString(36)}-${(at * 7919).toString(36)}`);

  it('gives others a turn while it compares with a whole archive', async () => {
    let longestTurnMs = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longestTurnMs = Math.max(longestTurnMs, performance.now() - last);
      last = performance.now();
    }, 1);
    await nearestNames(known, Array.from({ length: 20 }, (_, at) => `a-library-with-a-long-name-for-a-package-${at}-nothing`));
    clearInterval(timer);
    expect(longestTurnMs).toBeGreaterThan(0);
    // Without turns it would be all of some five seconds.
    expect(longestTurnMs).toBeLessThan(1_500);
  }, 30_000);

  it('finds what begins with the name', async () => {
    expect((await nearestNames(['postgresql', 'postgresql-15', 'postfix'], ['postgres'])).get('postgres')?.[0]).toBe('postgresql');
  });
});
