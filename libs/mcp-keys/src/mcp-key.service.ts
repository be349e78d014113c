import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  AccountKeys,
  AppError,
  clip,
  invalidArguments,
  isUuid,
  nearestName,
  notFound,
  Revocations,
  type Caller,
  type Violation,
} from '#libs/platform';
import { GatewayOptions } from '#libs/mcp';
import { makeApiKey, shownPrefix } from './api-key.js';
import { KeyHasher } from './key-hasher.js';
import type { McpKeyEntity } from './mcp-key.entity.js';
import { McpKeyRepository } from './mcp-key.repository.js';
import type { CreatedMcpKey, CreateMcpKeyInput, McpKey } from './mcp-keys.dto.js';

const dayMs = 86_400_000;

/** A key outlives the session that makes it, so a browser that was left open, or a stolen token, must not do. */
const signedInWithinMs = 10 * 60_000;

/** The API keys of people's accounts: make one, see them, revoke one. */
@Injectable()
export class McpKeyService implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
    private readonly keys: McpKeyRepository,
    private readonly hasher: KeyHasher,
    private readonly revocations: Revocations,
    private readonly gateway: GatewayOptions,
    private readonly accountKeys: AccountKeys,
  ) {}

  onModuleInit(): void {
    this.accountKeys.register({
      list: (accountId) => this.keys.list(accountId),
      revokeAll: async (manager, accountId) =>
        await this.revocations.revoke(
          manager,
          (await this.keys.revokeAll(manager, accountId)).map((id) => `key:${id}`),
        ),
    });
  }

  /** The answer is the only place where the key ever is. @throws AppError `invalid_arguments` for an unknown toolset, `sign_in_again`, `key_quota` */
  async create(
    caller: Caller,
    { name, expires_in_days: days, toolsets, read_only: readOnly }: CreateMcpKeyInput,
  ): Promise<CreatedMcpKey> {
    this.checkToolsets(toolsets ?? []);
    if (Date.now() - (caller.signedInAt ?? 0) > signedInWithinMs) throw signInAgain();
    const key = makeApiKey();
    const stored = await this.database.transaction((manager) =>
      this.keys.insert(manager, {
        accountId: accountOf(caller),
        name,
        prefix: shownPrefix(key),
        keyHash: this.hasher.hash(key),
        toolsets: toolsets ? [...new Set(toolsets)] : null,
        // Null, where somebody sends it, means what leaving it out means.
        readOnly: readOnly === true,
        expiresAt: days ? new Date(Date.now() + days * dayMs) : null,
      }),
    );
    return { ...shownKey(stored), key };
  }

  async list(caller: Caller): Promise<McpKey[]> {
    return (await this.keys.list(accountOf(caller))).map(shownKey);
  }

  /**
   * Everything that was opened with the key ends, in every process.
   * @throws AppError `key_not_found`, in the same words for one that never was, was revoked before, or is another's
   */
  async revoke(caller: Caller, id: string): Promise<void> {
    const revoked =
      isUuid(id) &&
      (await this.database.transaction(async (manager) => {
        if (!(await this.keys.revoke(manager, accountOf(caller), id))) return false;
        await this.revocations.revoke(manager, [`key:${id.toLowerCase()}`]);
        return true;
      }));
    if (!revoked) throw notFound('key', id, 'GET /api/mcp-keys lists yours.');
  }

  private checkToolsets(names: readonly string[]): void {
    const known = this.gateway.toolsets;
    const violations = names.flatMap((name, index): Violation[] => {
      if (known.includes(name)) return [];
      const suggestion = nearestName(name, known);
      return [
        {
          path: `/toolsets/${index}`,
          code: 'unknown_toolset',
          message: `"${clip(name)}" is not one of ${known.join(', ')}`,
          ...(suggestion && { suggestion }),
        },
      ];
    });
    if (violations.length) throw invalidArguments(violations);
  }
}

function signInAgain(): AppError {
  return new AppError({
    kind: 'forbidden',
    reason: 'sign_in_again',
    message: `An API key is only made within ${signedInWithinMs / 60_000} minutes of signing in with the password.`,
    hint: 'Sign in again (POST /api/auth/sign-in, or /api/auth/token), then make it.',
  });
}

/** Only people get here (PeopleOnly); what they own belongs to `user:<account id>`. */
const accountOf = ({ ownerId }: Caller): string => ownerId.slice('user:'.length);

function shownKey({
  id,
  name,
  prefix,
  toolsets,
  readOnly,
  createdAt,
  expiresAt,
  lastUsedAt,
  lastUsedFrom,
}: McpKeyEntity): McpKey {
  const told = (time: Date | null | undefined) => time?.toISOString() ?? null;
  return {
    id,
    name,
    prefix,
    toolsets,
    read_only: readOnly,
    created_at: createdAt.toISOString(),
    expires_at: told(expiresAt),
    last_used_at: told(lastUsedAt),
    last_used_from: lastUsedFrom ?? null,
  };
}
