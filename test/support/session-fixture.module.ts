import { randomUUID } from 'node:crypto';
import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CallerResolver, CallerService, invalidApiKey, type CallerEvidence, type Grant } from '#libs/platform';
import type { TestDatabase } from './database.js';
import { postJson } from './raw-client.js';

/** People who have signed in, without the signing in: whoever sends `Bearer test-session-<id of an account>` is that account. */
@Injectable()
export class SessionFixture extends CallerResolver implements OnModuleInit {
  readonly kinds = ['session', 'user'];

  constructor(
    private readonly callers: CallerService,
    private readonly database: DataSource,
  ) {
    super();
  }

  onModuleInit(): void {
    this.callers.register(this);
  }

  async resolve({ authorization }: CallerEvidence): Promise<Grant | undefined> {
    const id = /^Bearer test-session-([0-9a-f-]{36})$/.exec(authorization)?.[1];
    if (!id) return undefined;
    const grant = await this.currentGrant('session', id);
    if (!grant) throw invalidApiKey();
    return grant;
  }

  /** One session for each account, with the id of the account (addPerson). */
  async currentGrant(_kind: string, id: string): Promise<Grant | undefined> {
    const [account] = await this.database.query<{ role: string }[]>(
      'SELECT role FROM account WHERE id = $1 AND disabled_at IS NULL',
      [id],
    );
    if (!account) return undefined;
    return {
      kind: 'user',
      ownerId: `user:${id}`,
      principalId: `session:${id}`,
      revocationSubjects: [`session:${id}`, `user:${id}`],
      toolsets: undefined,
      readOnly: false,
      isAdmin: account.role === 'admin',
      expiresAt: undefined,
      signedInAt: Date.now(),
    };
  }
}

@Module({ providers: [SessionFixture] })
export class SessionFixtureModule {}

export interface TestPerson {
  id: string;
  /** Of somebody who has signed in. */
  headers: { authorization: string };
}

export async function addPerson(database: TestDatabase): Promise<TestPerson> {
  const id = randomUUID();
  await database.query("INSERT INTO account (id, email, password_hash) VALUES ($1, $2, 'none')", [
    id,
    `${id}@example.org`,
  ]);
  // For whoever asks the product instead of this fixture what stands behind the session.
  await database.query(
    "INSERT INTO sign_in (id, account_id, expires_at, address, user_agent) VALUES ($1, $1, now() + interval '1 day', '127.0.0.1', 'test')",
    [id],
  );
  return { id, headers: { authorization: `Bearer test-session-${id}` } };
}

export interface TestKey {
  id: string;
  key: string;
  headers: { authorization: string };
}

export async function createKey(url: string, person: TestPerson, more: object = {}): Promise<TestKey> {
  const response = await postJson(
    `${url}/api/mcp-keys`,
    { name: 'a key of a test', ...more },
    { headers: person.headers },
  );
  if (response.status !== 201) throw new Error(`No key was made: ${response.body}`);
  const { id, key } = response.json() as { id: string; key: string };
  return { id, key, headers: { authorization: `Bearer ${key}` } };
}
