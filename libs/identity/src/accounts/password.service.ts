import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, type Caller } from '#libs/platform';
import { GuessLimits, type Guess } from '../guessing/guess-limits.js';
import { AccountLinks, invalidLink } from '../links/account-link.service.js';
import { NewPasswords } from '../passwords/new-passwords.js';
import { SignInEndings } from '../sign-in/sign-in-endings.service.js';
import { accountIdOf, signInIdOf } from '../sign-in/own-sign-in.js';
import { AccountRepository } from './account.repository.js';

/** Changing a password one knows, and setting one by a link. */
@Injectable()
export class PasswordService {
  constructor(
    private readonly database: DataSource,
    private readonly accounts: AccountRepository,
    private readonly links: AccountLinks,
    private readonly passwords: NewPasswords,
    private readonly endings: SignInEndings,
    private readonly limits: GuessLimits,
  ) {}

  /** Ends every other session of the caller and, where that is wanted, every key: all of it, or nothing. @throws AppError `wrong_password`, `weak_password`, `too_many_attempts` */
  async change(
    caller: Caller,
    { current, next, revokesKeys = false }: { current: string; next: string; revokesKeys?: boolean | undefined },
  ): Promise<void> {
    const account = await this.accounts.get(accountIdOf(caller));
    const guess: Guess = { email: account.email, address: caller.address };
    const isRight = await this.limits.attempt(guess, async () =>
      (await this.passwords.isCurrent(account, current)) ? true : undefined,
    );
    if (!isRight) throw wrongPassword();
    const passwordHash = await this.passwords.hash(next, account.email);
    await this.database.transaction(async (manager) => {
      const { passwordHash: known } = (await this.accounts.lock(manager, account.id)) ?? {};
      // Changed meanwhile by somebody else who knew it: they decided first.
      if (known !== account.passwordHash) throw wrongPassword();
      await this.#set(manager, account.id, passwordHash);
      await this.endings.end(manager, { accountId: account.id, exceptId: signInIdOf(caller) });
      if (revokesKeys) await this.endings.endKeys(manager, account.id);
    });
  }

  /** Ends every session of the account. @throws AppError `invalid_link`, `weak_password` */
  async reset(token: string, next: string): Promise<void> {
    const { accountId } = await this.links.look(token, 'reset');
    const account = accountId === null ? null : await this.accounts.find(accountId);
    if (!account || account.disabledAt) throw invalidLink();
    const passwordHash = await this.passwords.hash(next, account.email);
    await this.database.transaction(async (manager) => {
      await this.links.use(manager, 'reset', token);
      const current = await this.accounts.lock(manager, account.id);
      if (!current || current.disabledAt) throw invalidLink();
      await this.#set(manager, account.id, passwordHash);
      await this.endings.end(manager, { accountId: account.id });
    });
  }

  async #set(manager: EntityManager, accountId: string, passwordHash: string): Promise<void> {
    await this.accounts.update(manager, accountId, { passwordHash });
    await this.links.voidResets(manager, accountId);
  }
}

function wrongPassword(): AppError {
  return new AppError({
    kind: 'forbidden',
    reason: 'wrong_password',
    message: 'The current password is wrong.',
    hint: 'Who does not know it any more asks for a new one with POST /api/auth/reset-request.',
  });
}
