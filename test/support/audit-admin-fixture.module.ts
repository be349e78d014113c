import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
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
    if (authorization.startsWith('Bearer test-expired')) return Promise.reject(new AppError({ kind: 'unauthenticated', reason: 'token_expired', message: 'Expired.' }));
    const found = people[authorization];
    return Promise.resolve(found && grantOf(found));
  }

  standing(_kind: string, id: string): Promise<Grant | undefined> {
    const found = Object.values(people).find((person) => person.id === id);
    return Promise.resolve(found && grantOf(found));
  }
}

function grantOf({ id, isAdmin, kind }: { id: string; isAdmin: boolean; kind: Grant['kind'] }): Grant {
  const principalId = kind === 'key' ? `key:${id}` : `session:${id}`;
  return { kind, ownerId: `user:${id}`, principalId, standsOn: [principalId], toolsets: undefined, readOnly: false, isAdmin, expiresAt: undefined };
}

@Module({ providers: [FixturePeople], exports: [FixturePeople] })
export class AuditAdminFixtureModule {}
