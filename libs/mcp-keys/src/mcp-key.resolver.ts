import { Injectable, type OnModuleInit } from '@nestjs/common';
import {
  CallerResolver,
  CallerService,
  CheckedGrants,
  invalidApiKey,
  Revocations,
  type CallerEvidence,
  type Grant,
} from '#libs/platform';
import { isApiKey, keyMark } from './api-key.js';
import { KeyHasher } from './key-hasher.js';
import { KeyUsage } from './key-usage.js';
import type { McpKeyEntity } from './mcp-key.entity.js';
import { McpKeyRepository } from './mcp-key.repository.js';

const principal = 'key:';

/** Knows API keys: `Authorization: Bearer of_mcp_…` (RFC 6750; the scheme in any case, RFC 9110, 11.1). */
@Injectable()
export class McpKeyResolver extends CallerResolver implements OnModuleInit {
  readonly kinds = ['key'];
  readonly #grants: CheckedGrants;

  constructor(
    private readonly callers: CallerService,
    private readonly keys: McpKeyRepository,
    private readonly hasher: KeyHasher,
    private readonly usage: KeyUsage,
    revocations: Revocations,
  ) {
    super();
    this.#grants = new CheckedGrants(revocations);
  }

  onModuleInit(): void {
    this.callers.register(this);
  }

  /** @throws AppError `invalid_api_key` for every key that is not valid, whatever the reason */
  async resolve({ authorization, address }: CallerEvidence): Promise<Grant | undefined> {
    const token = /^bearer +(.*)$/i.exec(authorization)?.[1];
    if (!token?.startsWith(keyMark)) return undefined;
    if (!isApiKey(token)) throw invalidApiKey();
    const keyHash = this.hasher.hash(token);
    const grant = await this.#grants.get(keyHash, () => this.#grantOf({ keyHash }));
    if (!grant) throw invalidApiKey();
    this.usage.note(grant.principalId.slice(principal.length), address);
    return grant;
  }

  async currentGrant(_kind: string, id: string): Promise<Grant | undefined> {
    return await this.#grantOf({ id });
  }

  async #grantOf(by: { keyHash: string } | { id: string }): Promise<Grant | undefined> {
    const key = await this.keys.findLive(by);
    const account = key && (await this.callers.currentGrant(`user:${key.accountId}`));
    return account ? grantOfKey(key) : undefined;
  }
}

function grantOfKey({ id, accountId, toolsets, readOnly, expiresAt }: McpKeyEntity): Grant {
  const [principalId, ownerId] = [`${principal}${id}`, `user:${accountId}`];
  return {
    kind: 'key',
    ownerId,
    principalId,
    revocationSubjects: [principalId, ownerId],
    toolsets: toolsets ?? undefined,
    readOnly,
    isAdmin: false,
    expiresAt: expiresAt?.getTime(),
  };
}
