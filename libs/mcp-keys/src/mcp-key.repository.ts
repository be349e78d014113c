import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { AppError } from '#libs/platform';
import { McpKeyEntity } from './mcp-key.entity.js';

export type NewKey = Pick<
  McpKeyEntity,
  'accountId' | 'name' | 'prefix' | 'keyHash' | 'toolsets' | 'readOnly' | 'expiresAt'
>;

export interface KeyUse {
  id: string;
  /** Milliseconds of the epoch. */
  at: number;
  /** Normalised client address. */
  from: string;
}

export const mostKeysPerAccount = 50;
/** Revoked keys are not listed and expired ones are deleted, so only whoever makes short-lived keys every day gets there. */
const mostListed = 1_000;
const notOver = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())';

@Injectable()
export class McpKeyRepository {
  constructor(private readonly database: DataSource) {}

  /** Those that were not revoked, the newest first. Expired ones stay in sight, so that somebody finds out why a client is refused. */
  async list(accountId: string): Promise<McpKeyEntity[]> {
    return await this.database
      .getRepository(McpKeyEntity)
      .find({ where: { accountId, revokedAt: IsNull() }, order: { createdAt: 'DESC', id: 'ASC' }, take: mostListed });
  }

  /** @throws AppError `key_quota` */
  async insert(manager: EntityManager, key: NewKey): Promise<McpKeyEntity> {
    // One insert of an account at a time, so that the count holds.
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`mcp_key ${key.accountId}`]);
    const live = await manager
      .createQueryBuilder(McpKeyEntity, 'key')
      .where({ accountId: key.accountId })
      .andWhere(notOver)
      .getCount();
    if (live >= mostKeysPerAccount) throw quotaReached();
    return await manager.save(McpKeyEntity, { ...key, id: randomUUID() });
  }

  async findLive(by: FindOptionsWhere<McpKeyEntity>): Promise<McpKeyEntity | null> {
    return await this.database
      .getRepository(McpKeyEntity)
      .createQueryBuilder('key')
      .where(by)
      .andWhere(notOver)
      .getOne();
  }

  /** @returns whether there was one to revoke */
  async revoke(manager: EntityManager, accountId: string, id: string): Promise<boolean> {
    const { affected } = await manager.update(
      McpKeyEntity,
      { id, accountId, revokedAt: IsNull() },
      { revokedAt: () => 'now()' },
    );
    return (affected ?? 0) > 0;
  }

  /** @returns the ids of those that were revoked */
  async revokeAll(manager: EntityManager, accountId: string): Promise<string[]> {
    const keys = await manager.find(McpKeyEntity, {
      select: { id: true },
      where: { accountId, revokedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    await manager.update(McpKeyEntity, { accountId, revokedAt: IsNull() }, { revokedAt: () => 'now()' });
    return keys.map(({ id }) => id);
  }

  /** In one statement. What other processes wrote in the meantime stays where it is newer. */
  async noteUses(uses: readonly KeyUse[]): Promise<void> {
    // Locked in one order first: two processes that write the same keys in different orders would wait for each other for ever.
    await this.database.query(
      `WITH used AS (SELECT * FROM unnest($1::uuid[], $2::float8[], $3::text[]) AS used (id, at, address)),
        locked AS (SELECT id FROM mcp_key WHERE id IN (SELECT id FROM used) ORDER BY id FOR NO KEY UPDATE)
      UPDATE mcp_key SET last_used_at = to_timestamp(used.at / 1000), last_used_from = used.address
      FROM used JOIN locked USING (id)
      WHERE mcp_key.id = used.id AND (mcp_key.last_used_at IS NULL OR mcp_key.last_used_at < to_timestamp(used.at / 1000))`,
      [uses.map(({ id }) => id), uses.map(({ at }) => at), uses.map(({ from }) => from)],
    );
  }

  /** Keys that were revoked or expired so long ago that nobody asks about them any more. @returns how many */
  async deleteEnded(days: number): Promise<number> {
    const { affected } = await this.database
      .getRepository(McpKeyEntity)
      .createQueryBuilder()
      .delete()
      .where('least(revoked_at, expires_at) < now() - make_interval(days => :days)', { days })
      .execute();
    return affected ?? 0;
  }
}

function quotaReached(): AppError {
  return new AppError({
    kind: 'quota',
    reason: 'key_quota',
    message: `You have ${mostKeysPerAccount} API keys, which is the most.`,
    hint: 'Revoke keys that you no longer need.',
    retryable: false,
  });
}
