import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, MoreThan, type EntityManager } from 'typeorm';
import { AccountEntity } from '../accounts/account.entity.js';
import { SignInEntity } from './sign-in.entity.js';

export interface NewSignIn {
  accountId: string;
  expiresAt: Date;
  address: string;
  userAgent: string;
}

/** A sign-in that holds, with its account. */
export interface CurrentSignIn {
  signIn: SignInEntity;
  account: AccountEntity;
}

export interface WhichSignIns {
  accountId?: string;
  id?: string;
  exceptId?: string;
}

/** How long the token before is answered with the same successor: tabs that refresh at once, answers that got lost. */
const graceSeconds = 10;

export type Rotation = { name: 'rotated'; accountId: string; count: number } | { name: 'reused' } | { name: 'over' };

@Injectable()
export class SignInRepository {
  constructor(private readonly database: DataSource) {}

  async insert(manager: EntityManager, signIn: NewSignIn): Promise<SignInEntity> {
    return await manager.save(SignInEntity, manager.create(SignInEntity, signIn));
  }

  /** @returns undefined where it is unknown, ended or over, or its account disabled */
  async findCurrent(id: string): Promise<CurrentSignIn | undefined> {
    const signIn = await this.database
      .getRepository(SignInEntity)
      .findOneBy({ id, endedAt: IsNull(), expiresAt: MoreThan(new Date()) });
    const account =
      signIn &&
      (await this.database.getRepository(AccountEntity).findOneBy({ id: signIn.accountId, disabledAt: IsNull() }));
    return account ? { signIn, account } : undefined;
  }

  /** Those that hold, the newest first. */
  async list(accountId: string): Promise<SignInEntity[]> {
    return await this.database.getRepository(SignInEntity).find({
      where: { accountId, endedAt: IsNull(), expiresAt: MoreThan(new Date()) },
      order: { createdAt: 'DESC', id: 'ASC' },
    });
  }

  /** Counts one exchange of a refresh token, under a lock of its row. */
  async rotate(manager: EntityManager, id: string, count: number): Promise<Rotation> {
    const [row] = await manager.query<{ account_id: string; refresh_count: number; is_recent: boolean }[]>(
      `SELECT account_id, refresh_count, refreshed_at > clock_timestamp() - interval '${graceSeconds} seconds' AS is_recent
         FROM sign_in WHERE id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp() FOR UPDATE`,
      [id],
    );
    if (!row) return { name: 'over' };
    const accountId = row.account_id;
    if (count === row.refresh_count) {
      await manager.query(
        'UPDATE sign_in SET refresh_count = refresh_count + 1, refreshed_at = clock_timestamp() WHERE id = $1',
        [id],
      );
      return { name: 'rotated', accountId, count: count + 1 };
    }
    if (count === row.refresh_count - 1 && row.is_recent)
      return { name: 'rotated', accountId, count: row.refresh_count };
    return { name: 'reused' };
  }

  /** @returns the ids of those that held until now */
  async end(
    manager: EntityManager,
    { accountId = null, id = null, exceptId = null }: { [name in keyof WhichSignIns]: string | null },
  ): Promise<string[]> {
    const [rows] = await manager.query<[{ id: string }[], number]>(
      `UPDATE sign_in SET ended_at = now() WHERE ended_at IS NULL
          AND ($1::uuid IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3) AND ($1::uuid IS NOT NULL OR $2::uuid IS NOT NULL) RETURNING id`,
      [accountId, id, exceptId],
    );
    return rows.map((row) => row.id);
  }

  /** @returns how many were deleted */
  async purgeExpired(): Promise<number> {
    const [, count] = await this.database.query<[unknown, number]>(
      "DELETE FROM sign_in WHERE least(coalesce(ended_at, expires_at), expires_at) < now() - interval '30 days'",
    );
    return count;
  }
}
