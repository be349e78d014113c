import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AppError } from '../errors/app-error.js';
import type { Caller } from '../caller/caller.js';
import { canonicalJson } from './canonical-json.js';
import { IdempotencyKeyEntity } from './idempotency-key.entity.js';

const keptForDays = 3;

/** Makes creating twice with one key create once: same key and body give the first result, another body is a conflict. */
@Injectable()
export class IdempotencyService {
  constructor(private readonly database: DataSource) {}

  /**
   * Runs `work` in a transaction, at most once per (caller, operation, key). Without a key it is only the transaction.
   * Concurrent calls with one key wait for the first. The result must survive JSON.
   * @throws AppError `idempotency_key_reused`
   */
  async once<T>(
    caller: Caller,
    { operation, key, body }: { operation: string; key: string | undefined; body: unknown },
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    if (key === undefined) return await this.database.transaction(work);
    const bodyHash = createHash('sha256').update(canonicalJson(body)).digest('hex');
    return await this.database.transaction(async (manager) => {
      const id = { ownerId: caller.ownerId, operation, key };
      const inserted = await manager
        .createQueryBuilder()
        .insert()
        .into(IdempotencyKeyEntity)
        .values({ ...id, bodyHash })
        .orIgnore()
        .returning('key')
        .execute();
      if ((inserted.raw as unknown[]).length === 0) return await this.firstResult<T>(manager, id, bodyHash);
      const result = await work(manager);
      await manager.update(IdempotencyKeyEntity, id, { result: result as object });
      return result;
    });
  }

  /** Whether `once` would give a first result: then nothing new is made, and no quota stands against it. */
  async knows(caller: Caller, { operation, key }: { operation: string; key: string | undefined }): Promise<boolean> {
    return (
      key !== undefined &&
      (await this.database.getRepository(IdempotencyKeyEntity).existsBy({ ownerId: caller.ownerId, operation, key }))
    );
  }

  /** Forgets keys nobody retries any more. @returns how many */
  async purgeExpired(): Promise<number> {
    const old = await this.database
      .getRepository(IdempotencyKeyEntity)
      .createQueryBuilder()
      .delete()
      .where(`created_at < now() - interval '${keptForDays} days'`)
      .execute();
    return old.affected ?? 0;
  }

  private async firstResult<T>(
    manager: EntityManager,
    id: { ownerId: string; operation: string; key: string },
    bodyHash: string,
  ): Promise<T> {
    const first = await manager.findOneByOrFail(IdempotencyKeyEntity, id);
    if (first.bodyHash === bodyHash) return first.result as T;
    throw new AppError({
      kind: 'conflict',
      reason: 'idempotency_key_reused',
      message: 'This idempotency key was used before with another input.',
      hint: 'Use a new key for a new request, and the same key only to repeat one.',
    });
  }
}
