import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import type { TestDatabase } from './database.js';
import { AppError, CallerResolver, CallerService, type CallerEvidence, type Grant } from '#libs/platform';

const people: Record<string, { id: string; isAdmin: boolean; kind: Grant['kind'] }> = {
  'Bearer test-admin': { id: '00000000-0000-4000-8000-000000000001', isAdmin: true, kind: 'user' },
  'Bearer test-user': { id: '00000000-0000-4000-8000-000000000002', isAdmin: false, kind: 'user' },
  'Bearer test-key': { id: '00000000-0000-4000-8000-000000000003', isAdmin: false, kind: 'key' },
};

/** An administrator, a user and a key for tests that are not about accounts. */
@Injectable()
export class FixturePeople extends CallerResolver implements OnModuleInit {
  readonly kinds = ['session', 'user'];
  /** How often credentials were looked at. */
  checks = 0;

  constructor(private readonly callers: CallerService) {
    super();
  }

  onModuleInit(): void {
    this.callers.register(this);
  }

  resolve({ authorization }: CallerEvidence): Promise<Grant | undefined> {
    this.checks++;
    if (authorization.startsWith('Bearer test-expired'))
      return Promise.reject(new AppError({ kind: 'unauthenticated', reason: 'token_expired', message: 'Expired.' }));
    const found = people[authorization];
    return Promise.resolve(found && grantOf(found));
  }

  currentGrant(_kind: string, id: string): Promise<Grant | undefined> {
    const found = Object.values(people).find((person) => person.id === id);
    return Promise.resolve(found && grantOf(found));
  }
}

function grantOf({ id, isAdmin, kind }: { id: string; isAdmin: boolean; kind: Grant['kind'] }): Grant {
  const principalId = kind === 'key' ? `key:${id}` : `session:${id}`;
  return {
    kind,
    ownerId: `user:${id}`,
    principalId,
    revocationSubjects: [principalId],
    toolsets: undefined,
    readOnly: false,
    isAdmin,
    expiresAt: undefined,
  };
}

/** The product asks itself what stands behind the session of a console link: for that the user of the fixture has signed in. */
export async function signInFixtureUser(database: TestDatabase): Promise<void> {
  const id = people['Bearer test-user']!.id;
  await database.query("INSERT INTO account (id, email, password_hash) VALUES ($1, 'fixture@example.org', 'none')", [
    id,
  ]);
  await database.query(
    "INSERT INTO sign_in (id, account_id, expires_at, address, user_agent) VALUES ($1, $1, now() + interval '1 day', '127.0.0.1', 'test')",
    [id],
  );
}

@Module({ providers: [FixturePeople], exports: [FixturePeople] })
export class AuditAdminFixtureModule {}
