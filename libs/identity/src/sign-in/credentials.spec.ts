import { describe, expect, it } from '@jest/globals';
import { HashingQueue, type CallerService, type CallLimits } from '#libs/platform';
import type { AccountEntity } from '../accounts/account.entity.js';
import type { AccountRepository } from '../accounts/account.repository.js';
import type { GuessLimits } from '../guessing/guess-limits.js';
import { PasswordHasher } from '../passwords/password-hasher.js';
import { Credentials } from './credentials.js';

/** Compares in clear, and counts how often: the comparison is what takes time. */
class CountingHasher extends PasswordHasher {
  count = 0;
  override matches(known: string | undefined, password: string): Promise<boolean> {
    this.count++;
    return Promise.resolve(known === password);
  }
}

const account = (email: string, disabledAt: Date | null = null) =>
  ({ id: email, email, passwordHash: `password of ${email}`, disabledAt }) as AccountEntity;
const known = [account('ada@example.com'), account('bob@example.com'), account('gone@example.com', new Date())];
const accounts = {
  findByEmail: (email: string) =>
    new Promise((resolve) => setImmediate(() => resolve(known.find((each) => each.email === email) ?? null))),
} as unknown as AccountRepository;
const refused: object[] = [];
const callers = {
  refused: (refusal: object) => Promise.resolve(void refused.push(refusal)),
} as unknown as CallerService;
const calls = { refuseGuesser: () => undefined } as unknown as CallLimits;
const limits = { attempt: (_: object, check: () => Promise<unknown>) => check() } as unknown as GuessLimits;
const attempt = (email: string, password = `password of ${email}`) => ({ email, password, address: '192.0.2.1' });

describe('Credentials', () => {
  it('tell people who come at once apart', async () => {
    const credentials = new Credentials(accounts, new CountingHasher(new HashingQueue()), limits, callers, calls);
    const emails = Array.from({ length: 20 }, (_, index) => known[index % 2]!.email);
    expect(
      (await Promise.all(emails.map((email) => credentials.check(attempt(email))))).map(({ email }) => email),
    ).toEqual(emails);
  });

  it.each([
    ['a wrong password', attempt('ada@example.com', 'password of bob@example.com')],
    ['an address without an account', attempt('nobody@example.com')],
    ['a disabled account and its password', attempt('gone@example.com')],
  ])('refuse %s alike, and compare once for each', async (_, wrong) => {
    const hasher = new CountingHasher(new HashingQueue());
    await expect(new Credentials(accounts, hasher, limits, callers, calls).check(wrong)).rejects.toMatchObject({
      kind: 'unauthenticated',
      reason: 'invalid_credentials',
      message: 'E-mail or password is wrong.',
    });
    expect(hasher.count).toBe(1);
    // Counted against the address, and written down.
    expect(refused.pop()).toEqual({ address: '192.0.2.1', edge: 'rest', reason: 'invalid_credentials' });
  });

  it('pass on what broke', async () => {
    const broken = { findByEmail: () => Promise.reject(new Error('database gone')) } as unknown as AccountRepository;
    await expect(
      new Credentials(broken, new CountingHasher(new HashingQueue()), limits, callers, calls).check(
        attempt('ada@example.com'),
      ),
    ).rejects.toThrow('database gone');
  });
});
