import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** A key that works for an account, as its owner tells it from others. */
export interface AccountKey {
  id: string;
  name: string;
  prefix: string;
  lastUsedAt: Date | null;
}

/** The module that keeps keys of accounts registers how they are listed and all revoked at once. */
export interface AccountKeySource {
  list(accountId: string): Promise<AccountKey[]>;
  revokeAll(manager: EntityManager, accountId: string): Promise<void>;
}

/** What goes on working for an account when its password changes, for modules that know accounts but no keys. */
@Injectable()
export class AccountKeys {
  readonly #sources: AccountKeySource[] = [];

  register(source: AccountKeySource): void {
    this.#sources.push(source);
  }

  async list(accountId: string): Promise<AccountKey[]> {
    return (await Promise.all(this.#sources.map((source) => source.list(accountId)))).flat();
  }

  async revokeAll(manager: EntityManager, accountId: string): Promise<void> {
    for (const source of this.#sources) await source.revokeAll(manager, accountId);
  }
}
