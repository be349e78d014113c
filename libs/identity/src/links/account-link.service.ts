import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  bytesOfUuid,
  FactorySecret,
  invalid,
  pageUrl,
  readClaims,
  Settings,
  signClaims,
  uuidBytes,
  uuidOfBytes,
  type AppError,
} from '#libs/platform';
import type { AccountLinkEntity, LinkKind } from './account-link.entity.js';
import { AccountLinkRepository, type NewAccountLink } from './account-link.repository.js';

export interface IssuedLink {
  id: string;
  /** Of the web page that uses it. Shown once. */
  url: string;
  expiresAt: Date;
}

const hourMs = 3_600_000;
const lifetimeMs: Record<LinkKind, number> = {
  setup: 24 * hourMs,
  invitation: 7 * 24 * hourMs,
  reset: hourMs,
  confirm: 24 * hourMs,
};

/** Links for accounts: each does one thing once, and not for long. */
@Injectable()
export class AccountLinks {
  readonly #key: Buffer;

  constructor(
    secret: FactorySecret,
    private readonly settings: Settings,
    private readonly links: AccountLinkRepository,
  ) {
    this.#key = secret.derive('account-link');
  }

  async issue(
    manager: EntityManager,
    { expiresInMs, ...link }: Omit<NewAccountLink, 'expiresAt'> & { expiresInMs?: number },
  ): Promise<IssuedLink> {
    const { id, expiresAt } = await this.links.insert(manager, {
      ...link,
      expiresAt: new Date(Date.now() + (expiresInMs ?? lifetimeMs[link.kind])),
    });
    return { id, url: pageUrl(this.settings, 'account', { token: signClaims(this.#key, bytesOfUuid(id)) }), expiresAt };
  }

  /** A newer one takes the place of older ones. */
  async issueSetUp(manager: EntityManager): Promise<IssuedLink> {
    await this.links.void(manager, { kind: 'setup' });
    return await this.issue(manager, { kind: 'setup', role: 'admin' });
  }

  /** A newer link to set the password of an account takes the place of older ones. */
  async issueReset(manager: EntityManager, accountId: string): Promise<IssuedLink> {
    await this.voidResets(manager, accountId);
    return await this.issue(manager, { kind: 'reset', accountId });
  }

  /** What a link is for, without using it. @throws AppError `invalid_link` */
  async look(token: string, ...kinds: LinkKind[]): Promise<AccountLinkEntity> {
    const link = await this.links.findOpen(this.#idOf(token));
    if (!link || (kinds.length && !kinds.includes(link.kind))) throw invalidLink();
    return link;
  }

  /** In the transaction of what it is for. @throws AppError `invalid_link` */
  async use(manager: EntityManager, kind: LinkKind, token: string): Promise<AccountLinkEntity> {
    const link = await this.links.use(manager, kind, this.#idOf(token));
    if (!link) throw invalidLink();
    return link;
  }

  /** A newer one takes the place of older ones. */
  async issueConfirmation(manager: EntityManager, email: string): Promise<IssuedLink> {
    await this.links.void(manager, { kind: 'confirm', email });
    return await this.issue(manager, { kind: 'confirm', email });
  }

  async voidResets(manager: EntityManager, accountId: string): Promise<void> {
    await this.links.void(manager, { kind: 'reset', accountId });
  }

  #idOf(token: string): string {
    const claims = readClaims(this.#key, token, uuidBytes);
    if (!claims) throw invalidLink();
    return uuidOfBytes(claims);
  }
}

/** One answer for every link that does nothing, whatever the reason. */
export function invalidLink(): AppError {
  return invalid(
    'invalid_link',
    'This link is not valid (any more): it was used, a newer one took its place, or its time is over.',
    'Ask for a new one.',
  );
}
