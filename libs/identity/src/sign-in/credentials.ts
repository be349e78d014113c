import { Injectable } from '@nestjs/common';
import passportLocal from 'passport-local';
import { AppError, CallerService, CallLimits } from '#libs/platform';
import type { AccountEntity } from '../accounts/account.entity.js';
import { AccountRepository } from '../accounts/account.repository.js';
import { GuessLimits } from '../guessing/guess-limits.js';
import { PasswordHasher } from '../passwords/password-hasher.js';
import { StrategyRunner } from './strategy-runner.js';

export interface Attempt {
  email: string;
  password: string;
  address: string;
}

/** E-mail and password. Whatever is wrong, the answer and its time are the same. */
@Injectable()
export class Credentials {
  readonly #strategy: StrategyRunner<AccountEntity>;

  constructor(
    private readonly accounts: AccountRepository,
    private readonly hasher: PasswordHasher,
    private readonly limits: GuessLimits,
    private readonly callers: CallerService,
    private readonly calls: CallLimits,
  ) {
    const strategy = new passportLocal.Strategy(
      { usernameField: 'email', passwordField: 'password' },
      (email, password, done) => {
        this.#find(email, password).then((account) => done(null, account ?? false), done);
      },
    );
    this.#strategy = new StrategyRunner(strategy);
  }

  /** @throws AppError `invalid_credentials`, `too_many_attempts`, `too_busy`, `rate_limited` for an address that guesses */
  async check({ email, password, address }: Attempt): Promise<AccountEntity> {
    this.calls.refuseGuesser(address);
    const account = await this.limits.attempt({ email, address }, () =>
      this.#strategy.run({ body: { email, password } }),
    );
    if (account) return account;
    const refusal = invalidCredentials();
    await this.callers.refused({ address, edge: 'rest', reason: refusal.reason });
    throw refusal;
  }

  async #find(email: string, password: string): Promise<AccountEntity | undefined> {
    const account = await this.accounts.findByEmail(email);
    const isMatch = await this.hasher.matches(account?.passwordHash, password);
    return account && isMatch && !account.disabledAt ? account : undefined;
  }
}

export function invalidCredentials(): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'invalid_credentials',
    message: 'E-mail or password is wrong.',
    hint: 'Check both; ask for a new password with POST /api/auth/reset-request. An account may also be disabled: an administrator knows.',
  });
}
