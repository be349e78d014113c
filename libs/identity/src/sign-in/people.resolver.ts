import { Injectable, type OnModuleInit } from '@nestjs/common';
import {
  CallerResolver,
  CallerService,
  CheckedGrants,
  isUuid,
  Revocations,
  type CallerEvidence,
  type Grant,
} from '#libs/platform';
import type { AccountEntity } from '../accounts/account.entity.js';
import { AccountRepository } from '../accounts/account.repository.js';
import { AccessTokens, invalidToken } from './access-tokens.js';
import { SignInRepository } from './sign-in.repository.js';

const bearer = /^Bearer +(\S+) *$/i;

/** People who have signed in: access tokens, and what stands behind them. */
@Injectable()
export class PeopleResolver extends CallerResolver implements OnModuleInit {
  readonly kinds = ['session', 'user'] as const;
  readonly #checked: CheckedGrants;

  constructor(
    private readonly callers: CallerService,
    private readonly tokens: AccessTokens,
    private readonly signIns: SignInRepository,
    private readonly accounts: AccountRepository,
    revocations: Revocations,
  ) {
    super();
    this.#checked = new CheckedGrants(revocations);
  }

  onModuleInit(): void {
    this.callers.register(this);
  }

  /** @throws AppError `invalid_token` */
  async resolve({ authorization }: CallerEvidence): Promise<Grant | undefined> {
    const token = bearer.exec(authorization)?.[1];
    if (token === undefined || !looksLikeJwt(token)) return undefined;
    const { accountId, signInId } = await this.tokens.read(authorization);
    const grant = await this.#checked.get(signInId, () => this.currentGrant('session', signInId));
    if (grant?.ownerId !== `user:${accountId}`) throw invalidToken();
    return grant;
  }

  async currentGrant(kind: string, id: string): Promise<Grant | undefined> {
    if (!isUuid(id)) return undefined;
    if (kind === 'session') {
      const current = await this.signIns.findCurrent(id);
      return (
        current &&
        grantOf(current.account, {
          session: `session:${id}`,
          expiresAt: current.signIn.expiresAt,
          createdAt: current.signIn.createdAt,
        })
      );
    }
    const account = await this.accounts.find(id);
    return account && !account.disabledAt ? grantOf(account) : undefined;
  }
}

/** A token of the other modules has a prefix and no dots. */
const looksLikeJwt = (token: string) => token.split('.', 4).length === 3;

function grantOf({ id, role }: AccountEntity, signIn?: { session: string; expiresAt: Date; createdAt: Date }): Grant {
  const user = `user:${id}`;
  return {
    kind: 'user',
    ownerId: user,
    principalId: signIn?.session ?? user,
    revocationSubjects: signIn ? [signIn.session, user] : [user],
    toolsets: undefined,
    readOnly: false,
    isAdmin: role === 'admin',
    expiresAt: signIn?.expiresAt.getTime(),
    ...(signIn && { signedInAt: signIn.createdAt.getTime() }),
  };
}
