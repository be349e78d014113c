import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { notFound } from '#libs/platform';
import { AccountEntity } from './account.entity.js';
import type { Role } from './role.js';

export interface NewAccount {
  email: string;
  passwordHash: string;
  role: Role;
}

const mostListed = 1_000;

@Injectable()
export class AccountRepository {
  constructor(private readonly database: DataSource) {}

  async find(id: string): Promise<AccountEntity | null> {
    return await this.database.getRepository(AccountEntity).findOneBy({ id });
  }

  /** @throws AppError `user_not_found` */
  async get(id: string): Promise<AccountEntity> {
    const account = await this.find(id);
    if (!account) throw notFound('user', id);
    return account;
  }

  async findByEmail(email: string): Promise<AccountEntity | null> {
    return await this.database.getRepository(AccountEntity).findOneBy({ email });
  }

  /** The newest first. */
  async list(): Promise<AccountEntity[]> {
    return await this.database
      .getRepository(AccountEntity)
      .find({ order: { createdAt: 'DESC', id: 'ASC' }, take: mostListed });
  }

  async count(manager: EntityManager = this.database.manager): Promise<number> {
    return await manager.count(AccountEntity);
  }

  /** For the rest of the transaction, so that nobody changes it meanwhile. */
  async lock(manager: EntityManager, id: string): Promise<AccountEntity | null> {
    return await manager.findOne(AccountEntity, { where: { id }, lock: { mode: 'for_no_key_update' } });
  }

  /** One at a time makes the first account, or takes an administrator away: what they count before stays true. */
  async lockAdministrators(manager: EntityManager): Promise<void> {
    await manager.query("SELECT pg_advisory_xact_lock(hashtextextended('identity administrators', 0))");
  }

  async countOtherAdministrators(manager: EntityManager, id: string): Promise<number> {
    return await manager
      .createQueryBuilder(AccountEntity, 'account')
      .where("role = 'admin' AND disabled_at IS NULL AND id <> :id", { id })
      .getCount();
  }

  /** @returns undefined where the address has an account already */
  async insert(manager: EntityManager, account: NewAccount): Promise<AccountEntity | undefined> {
    const [row] = await manager.query<{ id: string }[]>(
      'INSERT INTO account (email, password_hash, role) VALUES ($1, $2, $3) ON CONFLICT (email) DO NOTHING RETURNING id',
      [account.email, account.passwordHash, account.role],
    );
    return row && (await manager.findOneByOrFail(AccountEntity, { id: row.id }));
  }

  async update(
    manager: EntityManager,
    id: string,
    change: Partial<Pick<AccountEntity, 'passwordHash' | 'role' | 'disabledAt' | 'lastSignedInAt'>>,
  ): Promise<void> {
    await manager.update(AccountEntity, { id }, change);
  }
}
