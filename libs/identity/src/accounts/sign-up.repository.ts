import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AccountLinks, invalidLink } from '../links/account-link.service.js';
import { AccountRepository, type NewAccount } from './account.repository.js';

type NewPerson = Omit<NewAccount, 'role'>;

/** The transactions that make accounts: a link is used if, and only if, what it is for was done. */
@Injectable()
export class SignUpRepository {
  constructor(
    private readonly database: DataSource,
    private readonly accounts: AccountRepository,
    private readonly links: AccountLinks,
  ) {}

  async isSetUp(): Promise<boolean> {
    return (await this.accounts.count()) > 0;
  }

  /** Where the address has an account, that stays as it is. */
  async insertUser(person: NewPerson): Promise<void> {
    await this.accounts.insert(this.database.manager, { ...person, role: 'user' });
  }

  /**
   * @param token of the set-up link; undefined where the operator's settings say who it is
   * @returns whether there was no account yet
   * @throws AppError `invalid_link`
   */
  async insertFirst(person: NewPerson, token?: string): Promise<boolean> {
    return await this.database.transaction(async (manager) => {
      await this.accounts.lockAdministrators(manager);
      if (await this.accounts.count(manager)) return false;
      if (token !== undefined) await this.links.use(manager, 'setup', token);
      await this.accounts.insert(manager, { ...person, role: 'admin' });
      return true;
    });
  }

  /** A newer set-up link takes the place of older ones. @returns undefined where there is an account already */
  async issueSetUp(): Promise<string | undefined> {
    return await this.database.transaction(async (manager) => {
      await this.accounts.lockAdministrators(manager);
      if (await this.accounts.count(manager)) return undefined;
      return (await this.links.issueSetUp(manager)).url;
    });
  }

  /** An address that has an account already uses the invitation up as well: trying addresses costs one each, and shows nothing. @throws AppError `invalid_link` */
  async acceptInvitation(token: string, person: NewPerson): Promise<void> {
    await this.database.transaction(async (manager) => {
      const { role } = await this.links.use(manager, 'invitation', token);
      await this.accounts.insert(manager, { ...person, role });
    });
  }

  /** @returns the link to confirm the address by; undefined where it has an account */
  async issueConfirmation(email: string): Promise<string | undefined> {
    if (await this.accounts.findByEmail(email)) return undefined;
    return (await this.database.transaction((manager) => this.links.issueConfirmation(manager, email))).url;
  }

  /** @throws AppError `invalid_link` */
  async confirm(token: string, passwordHash: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      const { email } = await this.links.use(manager, 'confirm', token);
      if (email === null) throw invalidLink();
      await this.accounts.insert(manager, { email, passwordHash, role: 'user' });
    });
  }
}
