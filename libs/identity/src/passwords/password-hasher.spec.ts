import { describe, expect, it } from '@jest/globals';
import { HashingQueue } from '#libs/platform';
import { PasswordHasher, unmatchableHash } from './password-hasher.js';

describe('PasswordHasher', () => {
  const hasher = new PasswordHasher(new HashingQueue());

  it('makes argon2id hashes of the recommended cost, each with a salt of its own', async () => {
    const [one, two] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
  });

  it('knows a password again, however its accents are composed', async () => {
    const known = await hasher.hash('caf\u00e9 au lait');
    expect(await hasher.matches(known, 'cafe\u0301 au lait')).toBe(true);
    expect(await hasher.matches(known, 'cafe au lait')).toBe(false);
  });

  it('matches nothing where there is no account, or none with a password', async () => {
    expect(await hasher.matches(undefined, '')).toBe(false);
    expect(await hasher.matches(undefined, 'correct horse')).toBe(false);
    expect(await hasher.matches(unmatchableHash(), 'correct horse')).toBe(false);
  });

  it('refuses rather than let the queue grow without bound', async () => {
    const busy = new PasswordHasher(new HashingQueue());
    const outcomes = await Promise.allSettled(Array.from({ length: 60 }, () => busy.matches(undefined, 'x')));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(8);
    expect(refused[0]).toMatchObject({ reason: { kind: 'unavailable', reason: 'too_busy' } });
  });
});
