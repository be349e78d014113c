import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError, clip, isUuid, notFound, Revocations } from '#libs/platform';
import type { AccountEntity } from '../accounts/account.entity.js';
import { AccountRepository } from '../accounts/account.repository.js';
import type { Role } from '../accounts/role.js';
import { AccountLinks, type IssuedLink } from '../links/account-link.service.js';
import { unmatchableHash } from '../passwords/password-hasher.js';
import { SignInEndings } from '../sign-in/sign-in-endings.service.js';

export interface AccountChange {
  role?: Role;
  disabled?: boolean;
}

/** What administrators do with accounts, in the web and on the command line. */
@Injectable()
export class AdministrationService {
  constructor(
    private readonly database: DataSource,
    private readonly accounts: AccountRepository,
    private readonly links: AccountLinks,
    private readonly endings: SignInEndings,
    private readonly revocations: Revocations,
  ) {}

  /** The newest first. */
  async list(): Promise<AccountEntity[]> {
    return await this.accounts.list();
  }

  /** @throws AppError `user_not_found` */
  async findByEmail(email: string): Promise<AccountEntity> {
    const account = await this.accounts.findByEmail(email);
    if (!account) throw notFound('user', email);
    return account;
  }

  /** An account whose password is set by the link that comes back. @throws AppError `user_exists` */
  async create(email: string, role: Role): Promise<IssuedLink & { accountId: string }> {
    return await this.database.transaction(async (manager) => {
      const account = await this.accounts.insert(manager, { email, role, passwordHash: unmatchableHash() });
      if (!account) throw userExists(email);
      return { ...(await this.links.issueReset(manager, account.id)), accountId: account.id };
    });
  }

  /** @throws AppError `user_not_found`, `user_disabled` */
  async resetLink(id: string): Promise<IssuedLink> {
    return await this.database.transaction(async (manager) => {
      const account = await this.#lock(manager, id);
      if (account.disabledAt) throw userDisabled(account.email);
      return await this.links.issueReset(manager, account.id);
    });
  }

  /** Disabling ends whatever the account has open, keys included; another role ends its sign-ins. @throws AppError `user_not_found`, `last_administrator` */
  async change(id: string, { role, disabled }: AccountChange): Promise<AccountEntity> {
    return await this.database.transaction(async (manager) => {
      // Two administrators that take each other away at once: the second one waits here, and is then the last.
      await this.accounts.lockAdministrators(manager);
      const account = await this.#lock(manager, id);
      const next = {
        role: role ?? account.role,
        disabledAt: disabled === undefined ? account.disabledAt : disabled ? (account.disabledAt ?? new Date()) : null,
      };
      if (
        isAdministrator(account) &&
        !isAdministrator(next) &&
        (await this.accounts.countOtherAdministrators(manager, id)) === 0
      )
        throw lastAdministrator();
      const isDisabledNow = !account.disabledAt && next.disabledAt !== null;
      await this.accounts.update(manager, id, next);
      if (isDisabledNow || next.role !== account.role) await this.endings.end(manager, { accountId: id });
      if (isDisabledNow) await this.revocations.revoke(manager, [`user:${id}`]);
      return { ...account, ...next };
    });
  }

  async #lock(manager: EntityManager, id: string): Promise<AccountEntity> {
    const account = isUuid(id) ? await this.accounts.lock(manager, id) : null;
    if (!account) throw notFound('user', id);
    return account;
  }
}

const isAdministrator = ({ role, disabledAt }: Pick<AccountEntity, 'role' | 'disabledAt'>) =>
  role === 'admin' && !disabledAt;

const userExists = (email: string) =>
  new AppError({
    kind: 'conflict',
    reason: 'user_exists',
    message: `There is an account "${clip(email)}" already.`,
    hint: 'A link to set its password: openfactory admin reset EMAIL',
  });
const userDisabled = (email: string) =>
  new AppError({
    kind: 'wrong_state',
    reason: 'user_disabled',
    message: `The account "${clip(email)}" is disabled.`,
    hint: 'Enable it first.',
  });
const lastAdministrator = () =>
  new AppError({
    kind: 'conflict',
    reason: 'last_administrator',
    message: 'This is the last administrator that is not disabled.',
    hint: 'Make somebody else an administrator first.',
  });
