import { describe, expect, it } from '@jest/globals';
import { FactorySecret, HashingQueue, runProgram } from '#libs/platform';
import { passwordHash } from '../schema/text-rules.js';
import { crypt64, PasswordHasher } from './password-hasher.js';

const hasher = new PasswordHasher(new FactorySecret('x'.repeat(32)), new HashingQueue());
const ada = { ownerId: 'address:192.0.2.1', recipe: 'web', user: 'ada' };

describe('PasswordHasher', () => {
  it('makes a yescrypt hash that crypt(3) verifies', async () => {
    const hash = await hasher.hash('correct horse ü', ada);
    expect(hash).toMatch(/^\$y\$j9T\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{43}$/);
    expect(passwordHash.test(hash)).toBe(true);
    const { stdout } = await runProgram(
      'perl',
      ['-e', 'print crypt($ARGV[0], $ARGV[1]) eq $ARGV[1] ? "same" : "other"', 'correct horse ü', hash],
      { deadlineMs: 10_000 },
    );
    expect(stdout).toBe('same');
  });

  it('gives the same recipe the same hash, and no two users or owners the same salt', async () => {
    const one = await hasher.hash('secret', ada);
    expect(await hasher.hash('secret', ada)).toBe(one);
    const salts = new Set(
      [
        one,
        await hasher.hash('secret', { ...ada, user: 'bob' }),
        await hasher.hash('secret', { ...ada, ownerId: 'x' }),
        await hasher.hash('secret', { ...ada, recipe: 'y' }),
      ].map((hash) => hash.split('$')[3]),
    );
    expect(salts.size).toBe(4);
  });
});

describe('crypt64', () => {
  it('takes six bits at a time, the lowest first', () => {
    expect(crypt64(Uint8Array.of(0, 0, 0))).toBe('....');
    expect(crypt64(Uint8Array.of(255, 255, 255))).toBe('zzzz');
    expect(crypt64(Uint8Array.of(1))).toBe('/.');
    expect(crypt64(new Uint8Array(16))).toHaveLength(22);
  });
});
