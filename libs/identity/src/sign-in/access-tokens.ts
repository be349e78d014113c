import { Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import passportJwt from 'passport-jwt';
import { AppError, FactorySecret, isUuid, Settings } from '#libs/platform';
import { StrategyRunner } from './strategy-runner.js';

const issuer = 'openfactory';
const audience = 'openfactory-api';

/** What an access token says: whose it is, and of which sign-in. */
export interface AccessClaims {
  accountId: string;
  signInId: string;
}

/** Short-lived JWTs of people (RFC 7519). HS256 alone: the header of a token never chooses how it is checked (RFC 8725, 3.1). */
@Injectable()
export class AccessTokens {
  readonly #key: Buffer;
  readonly #strategy: StrategyRunner<AccessClaims>;

  constructor(
    secret: FactorySecret,
    private readonly settings: Settings,
  ) {
    this.#key = secret.derive('access-token');
    const strategy = new passportJwt.Strategy(
      {
        jwtFromRequest: passportJwt.ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKey: this.#key,
        algorithms: ['HS256'],
        issuer,
        audience,
      },
      (payload: Record<string, unknown>, done) => done(null, claimsOf(payload) ?? false),
    );
    this.#strategy = new StrategyRunner(strategy);
  }

  get lifetimeSeconds(): number {
    return this.settings.accessTokenMinutes * 60;
  }

  issue({ accountId, signInId }: AccessClaims): string {
    return jwt.sign({ sid: signInId }, this.#key, {
      algorithm: 'HS256',
      issuer,
      audience,
      subject: accountId,
      expiresIn: this.lifetimeSeconds,
    });
  }

  /** @throws AppError `invalid_token` */
  async read(authorization: string): Promise<AccessClaims> {
    const claims = await this.#strategy.run({ headers: { authorization } });
    if (!claims) throw invalidToken();
    return claims;
  }
}

export function invalidToken(): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'invalid_token',
    message: 'The access token is not valid (any more).',
    hint: 'Refresh it with POST /api/auth/refresh, or sign in again.',
  });
}

function claimsOf({ sub, sid }: Record<string, unknown>): AccessClaims | undefined {
  return isUuid(sub) && isUuid(sid) ? { accountId: sub, signInId: sid } : undefined;
}
