import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppError, isUuid, notFound, Settings } from '#libs/platform';
import type { Role } from '../accounts/role.js';
import type { AccountLinkEntity } from '../links/account-link.entity.js';
import { AccountLinkRepository } from '../links/account-link.repository.js';
import { AccountLinks, type IssuedLink } from '../links/account-link.service.js';
import { emails } from '../mail/emails.js';
import { OutgoingMail } from '../mail/outgoing-mail.js';

export interface NewInvitation {
  /** The only address it is for. */
  email?: string;
  role?: Role;
  expiresInDays?: number;
}

export interface IssuedInvitation extends IssuedLink {
  /** The link is on its way to the address by mail, too. */
  isMailed: boolean;
}

const dayMs = 86_400_000;

/** Invitations: links by which somebody makes an account. */
@Injectable()
export class InvitationService {
  constructor(
    private readonly database: DataSource,
    private readonly links: AccountLinks,
    private readonly repository: AccountLinkRepository,
    private readonly mail: OutgoingMail,
    private readonly settings: Settings,
  ) {}

  /** Mailed to the address that it is for, where there is one and a mail server. @throws AppError `sign_up_closed` */
  async invite({ email, role, expiresInDays }: NewInvitation): Promise<IssuedInvitation> {
    if (this.settings.signUp === 'closed') throw closed();
    const link = await this.links.issue(this.database.manager, {
      kind: 'invitation',
      email: email ?? null,
      role: role ?? 'user',
      ...(expiresInDays !== undefined && { expiresInMs: expiresInDays * dayMs }),
    });
    const isMailed = email !== undefined && this.mail.canSend;
    if (isMailed) this.mail.sendSoon(() => Promise.resolve(emails.invitation(email, link.url, link.expiresAt)));
    return { ...link, isMailed };
  }

  /** Those that can still be used, the newest first. */
  async list(): Promise<AccountLinkEntity[]> {
    return await this.repository.listOpen('invitation');
  }

  /** @throws AppError `invitation_not_found` */
  async withdraw(id: string): Promise<void> {
    if (!isUuid(id) || !(await this.repository.void(undefined, { kind: 'invitation', id })))
      throw notFound('invitation', id);
  }
}

const closed = () =>
  new AppError({
    kind: 'forbidden',
    reason: 'sign_up_closed',
    message: 'Invitations are of no use here: OPENFACTORY_SIGN_UP is closed.',
    hint: 'Make the account with: openfactory admin create-user EMAIL',
  });
