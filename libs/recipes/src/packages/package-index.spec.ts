import { describe, expect, it } from '@jest/globals';
import { FakePackageIndex } from '../testing/fake-package-index.js';
import { mostComparisons, NameShelves, nearestNames } from './nearest-names.js';
import { packageIndexContract } from '../testing/package-index.contract.js';

describe('FakePackageIndex', () =>
  packageIndexContract((packages) => Promise.resolve(new FakePackageIndex({ one: packages }))));

describe('nearestNames', () => {
  // The longest names of an archive have some 60 characters, and long ones are slow to compare.
  const known = Array.from(
    { length: 65_000 },
    (_, at) => `a-package-with-a-long-name-for-a-library-${at.toString(36)}-${(at * 7919).toString(36)}`,
  );
  const shelves = new NameShelves([...known, 'postgresql', 'postgresql-15', 'postfix', 'openssh-server']);

  it('shares one budget of comparisons among the names, and gives others their turns', async () => {
    let comparisons = 0;
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await nearestNames(
      shelves,
      Array.from({ length: 20 }, (_, at) => `a-library-with-a-long-name-for-a-package-${at}-nothing`),
      { compare: () => ++comparisons },
    );
    expect(comparisons).toBeLessThanOrEqual(mostComparisons);
    comparisons = 0;
    await nearestNames(shelves, ['a-library-with-a-long-name-for-a-package-1-nothing'], {
      compare: () => ++comparisons,
    });
    clearInterval(timer);
    expect(comparisons).toBe(mostComparisons);
    expect(turns).toBeGreaterThan(0);
  });

  it('finds what begins with the name', async () => {
    expect((await nearestNames(shelves, ['postgres'])).get('postgres')?.[0]).toBe('postgresql');
  });

  it.each(['openssh-servr', 'opensh-server', 'penssh-server', 'openshs-server'])(
    'finds the slip in %s, though it is one of twenty',
    async (slip) => {
      const names = [slip, ...known.slice(0, 19).map((name) => `${name}-nothing`)];
      expect((await nearestNames(shelves, names)).get(slip)?.[0]).toBe('openssh-server');
    },
  );
});
