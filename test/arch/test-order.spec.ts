import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { productRoot } from '#libs/platform';

interface Order {
  longest: string[];
  rankOf: (file: string) => number;
}
const order = (await import(path.join(productRoot, 'test/support/longest-first.mjs'))) as Order;

describe('the order of test files', () => {
  it('names files that are there', () => {
    expect(order.longest.filter((file) => !existsSync(path.join(productRoot, file)))).toEqual([]);
  });

  it('begins with what takes longest and ends with what takes least, by whatever size of the file', () => {
    const files = [
      'libs/a/src/a.spec.ts',
      'test/arch/a.spec.ts',
      'libs/a/src/a.medium.spec.ts',
      'test/e2e/a.spec.ts',
      'test/live/a.spec.ts',
      'test/live/slow-boot.spec.ts',
      'test/live/builds.spec.ts',
    ];
    const ranks = files.map(order.rankOf);
    expect(ranks).toEqual([...ranks].sort((a, b) => b - a));
    expect(new Set(ranks).size).toBe(files.length - 1);
  });
});
