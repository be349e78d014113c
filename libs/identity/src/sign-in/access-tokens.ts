import { Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import passport from 'passport';
import passportJwt from 'passport-jwt';
import { AppError, FactorySecret, Settings } from '#libs/platform';
import { isUuid } from '../is-uuid.js';

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
  readonly #passport = new passport.Passport();

  constructor(
    secret: FactorySecret,
    private readonly settings: Settings,
  ) {
    this.#key = secret.derive('access-token');
    const strategy = new passportJwt.Strategy(
      { jwtFromRequest: passportJwt.ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: this.#key, algorithms: ['HS256'], issuer, audience },
      (payload: Record<string, unknown>, done) => done(null, claimsOf(payload) ?? false),
    );
    // By name: passport then makes an instance per request; a strategy handed over as such is shared by all of them.
    this.#passport.use('access-token', strategy);
  }

  get lifetimeSeconds(): number {
    return this.settings.accessTokenMinutes * 60;
  }

  issue({ accountId, signInId }: AccessClaims): string {
    return jwt.sign({ sid: signInId }, this.#key, { algorithm: 'HS256', issuer, audience, subject: accountId, expiresIn: this.lifetimeSeconds });
  }

  /** @throws AppError `invalid_token` */
  async read(authorization: string): Promise<AccessClaims> {
    const claims = await new Promise<AccessClaims | false>((resolve, reject) => {
      const answer = (error: unknown, found?: AccessClaims | false) => (error ? reject(error as Error) : resolve(found ?? false));
      const authenticate = this.#passport.authenticate('access-token', { session: false }, answer) as (request: object, response: object, next: (error: unknown) => void) => void;
      authenticate({ headers: { authorization } }, {}, reject);
    });
    if (!claims) throw invalidToken();
    return claims;
  }
}

export function invalidToken(): AppError {
  return new AppError({ kind: 'unauthenticated', reason: 'invalid_token', message: 'The access token is not valid (any more).', hint: 'Refresh it with POST /api/auth/refresh, or sign in again.' });
}

function claimsOf({ sub, sid }: Record<string, unknown>): AccessClaims | undefined {
  return isUuid(sub) && isUuid(sid) ? { accountId: sub, signInId: sid } : undefined;
}
