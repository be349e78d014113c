import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppError, isUuid, notFound, type Caller } from '#libs/platform';
import type { AccountEntity } from '../accounts/account.entity.js';
import { AccountRepository } from '../accounts/account.repository.js';
import { Credentials, invalidCredentials, type Attempt } from './credentials.js';
import { accountIdOf, signInIdOf } from './own-sign-in.js';
import { SignInEndings } from './sign-in-endings.service.js';
import { SignInTokens, type Tokens } from './sign-in-tokens.js';
import type { SignInEntity } from './sign-in.entity.js';
import { SignInRepository, type WhichSignIns } from './sign-in.repository.js';

export interface SignInAttempt extends Attempt {
  userAgent: string;
}

export interface SignedIn extends Tokens {
  account: AccountEntity;
}

const longestUserAgent = 256;

/** Signing in, staying signed in, and signing out. */
@Injectable()
export class SignInService {
  constructor(
    private readonly database: DataSource,
    private readonly accounts: AccountRepository,
    private readonly signIns: SignInRepository,
    private readonly endings: SignInEndings,
    private readonly credentials: Credentials,
    private readonly tokens: SignInTokens,
  ) {}

  /** @throws AppError `invalid_credentials`, `too_many_attempts`, `too_busy` */
  async signIn(attempt: SignInAttempt): Promise<SignedIn> {
    return await this.#open(attempt, this.tokens.signInMs);
  }

  /** For scripts: a token that is never refreshed, so that its sign-in is over with it. @throws like signIn */
  async token(attempt: SignInAttempt): Promise<string> {
    return (await this.#open(attempt, this.tokens.accessMs)).accessToken;
  }

  /** @throws AppError `invalid_refresh_token`, `refresh_token_reused` */
  async refresh(refreshToken: string): Promise<Tokens> {
    const claims = this.tokens.readRefresh(refreshToken);
    if (!claims) throw invalidRefreshToken();
    const { signInId } = claims;
    const rotation = await this.database.transaction(async (manager) => {
      const found = await this.signIns.rotate(manager, signInId, claims.count);
      // Somebody has a copy. Which of the two is the thief cannot be known, so both have to sign in again.
      if (found.name === 'reused') await this.endings.end(manager, { id: signInId });
      return found;
    });
    if (rotation.name === 'reused') throw reusedRefreshToken();
    if (rotation.name === 'over') throw invalidRefreshToken();
    return this.tokens.issue({ accountId: rotation.accountId, signInId, count: rotation.count });
  }

  /** The sign-ins of the caller that hold, the newest first. */
  async list(caller: Caller): Promise<SignInEntity[]> {
    return await this.signIns.list(accountIdOf(caller));
  }

  async signOut(caller: Caller): Promise<void> {
    await this.#end({ id: signInIdOf(caller) });
  }

  /** By any refresh token of a sign-in; what is none ends nothing. */
  async signOutByRefreshToken(refreshToken: string): Promise<void> {
    const claims = this.tokens.readRefresh(refreshToken);
    if (claims) await this.#end({ id: claims.signInId });
  }

  async signOutEverywhere(caller: Caller): Promise<void> {
    await this.#end({ accountId: accountIdOf(caller) });
  }

  /** @throws AppError `session_not_found` */
  async endOwn(caller: Caller, signInId: string): Promise<void> {
    const ended = isUuid(signInId) ? await this.#end({ accountId: accountIdOf(caller), id: signInId }) : 0;
    if (!ended) throw notFound('session', signInId);
  }

  async #open(attempt: SignInAttempt, lifetimeMs: number): Promise<SignedIn> {
    const checked = await this.credentials.check(attempt);
    return await this.database.transaction(async (manager) => {
      // Between the check and here the account may have been disabled, or its password changed, which ended the sign-ins there were.
      const account = await this.accounts.lock(manager, checked.id);
      if (!account || account.disabledAt || account.passwordHash !== checked.passwordHash) throw invalidCredentials();
      await this.accounts.update(manager, account.id, { lastSignedInAt: new Date() });
      const expiresAt = new Date(Date.now() + lifetimeMs);
      const signIn = await this.signIns.insert(manager, {
        accountId: account.id,
        expiresAt,
        address: attempt.address,
        userAgent: attempt.userAgent.slice(0, longestUserAgent),
      });
      return {
        account,
        ...this.tokens.issue({ accountId: account.id, signInId: signIn.id, count: signIn.refreshCount }),
      };
    });
  }

  async #end(which: WhichSignIns): Promise<number> {
    return await this.database.transaction((manager) => this.endings.end(manager, which));
  }
}

export function invalidRefreshToken(): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'invalid_refresh_token',
    message: 'You are not signed in (any more).',
    hint: 'Sign in again.',
  });
}

function reusedRefreshToken(): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'refresh_token_reused',
    message: 'This refresh token was used before, so somebody may have a copy: the session was ended.',
    hint: 'Sign in again.',
  });
}
