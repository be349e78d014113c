import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, MoreThan, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { AccountLinkEntity, type LinkKind } from './account-link.entity.js';

export type NewAccountLink = Pick<AccountLinkEntity, 'kind' | 'expiresAt'> &
  Partial<Pick<AccountLinkEntity, 'email' | 'role' | 'accountId'>>;

@Injectable()
export class AccountLinkRepository {
  constructor(private readonly database: DataSource) {}

  async insert(manager: EntityManager, link: NewAccountLink): Promise<AccountLinkEntity> {
    return await manager.save(AccountLinkEntity, manager.create(AccountLinkEntity, { role: 'user', ...link }));
  }

  /** @returns undefined where it was used, is over, or never was */
  async findOpen(id: string): Promise<AccountLinkEntity | undefined> {
    return (await this.database.getRepository(AccountLinkEntity).findOneBy({ id, ...open() })) ?? undefined;
  }

  /** The newest first. */
  async listOpen(kind: LinkKind): Promise<AccountLinkEntity[]> {
    return await this.database
      .getRepository(AccountLinkEntity)
      .find({ where: { kind, ...open() }, order: { createdAt: 'DESC', id: 'ASC' }, take: 1_000 });
  }

  /** Marks it as used: of two at once, one gets it. */
  async use(manager: EntityManager, kind: LinkKind, id: string): Promise<AccountLinkEntity | undefined> {
    const { affected } = await manager.update(AccountLinkEntity, { id, kind, ...open() }, { usedAt: new Date() });
    return affected ? await manager.findOneByOrFail(AccountLinkEntity, { id }) : undefined;
  }

  /** @returns whether there were any */
  async void(
    manager: EntityManager | undefined,
    which: { kind: LinkKind; id?: string; accountId?: string; email?: string },
  ): Promise<boolean> {
    const { affected } = await (manager ?? this.database.manager).delete(AccountLinkEntity, {
      ...which,
      usedAt: IsNull(),
    });
    return (affected ?? 0) > 0;
  }

  /** @returns how many were deleted */
  async purgeExpired(): Promise<number> {
    const [, count] = await this.database.query<[unknown, number]>(
      'DELETE FROM account_link WHERE used_at IS NOT NULL OR expires_at < now()',
    );
    return count;
  }
}

const open = (): FindOptionsWhere<AccountLinkEntity> => ({ usedAt: IsNull(), expiresAt: MoreThan(new Date()) });
