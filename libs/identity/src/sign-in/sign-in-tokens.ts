import { Injectable } from '@nestjs/common';
import { Settings } from '#libs/platform';
import { AccessTokens } from './access-tokens.js';
import { RefreshTokens, type RefreshClaims } from './refresh-tokens.js';

/** What somebody who signs in gets. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

const dayMs = 86_400_000;

@Injectable()
export class SignInTokens {
  constructor(
    private readonly access: AccessTokens,
    private readonly refresh: RefreshTokens,
    private readonly settings: Settings,
  ) {}

  /** After this somebody must sign in again, however often they refreshed. */
  get signInMs(): number {
    return this.settings.signInDays * dayMs;
  }

  get accessMs(): number {
    return this.access.lifetimeSeconds * 1000;
  }

  issue({ accountId, signInId, count }: RefreshClaims & { accountId: string }): Tokens {
    return {
      accessToken: this.access.issue({ accountId, signInId }),
      refreshToken: this.refresh.issue({ signInId, count }),
    };
  }

  readRefresh(token: string): RefreshClaims | undefined {
    return this.refresh.read(token);
  }
}
