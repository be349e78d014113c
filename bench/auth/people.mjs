// People who have signed in, without the signing in, which is not what is measured: `Bearer bench-<id of an account>`.
import { Injectable, Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CallerResolver, CallerService } from '#libs/platform';

class BenchPeople extends CallerResolver {
  kinds = ['session', 'user'];

  constructor(callers, database) {
    super();
    this.database = database;
    callers.register(this);
  }

  async resolve({ authorization }) {
    const id = /^Bearer bench-([0-9a-f-]{36})$/.exec(authorization)?.[1];
    return id && (await this.currentGrant('session', id));
  }

  async currentGrant(_kind, id) {
    const [account] = await this.database.query('SELECT id FROM account WHERE id = $1 AND disabled_at IS NULL', [id]);
    return (
      account && {
        kind: 'user',
        ownerId: `user:${id}`,
        principalId: `session:${id}`,
        revocationSubjects: [`session:${id}`, `user:${id}`],
        toolsets: undefined,
        readOnly: false,
        isAdmin: false,
        expiresAt: undefined,
        signedInAt: Date.now(),
      }
    );
  }
}
Injectable()(BenchPeople);
Reflect.defineMetadata('design:paramtypes', [CallerService, DataSource], BenchPeople);

export class BenchPeopleModule {}
Module({ providers: [BenchPeople] })(BenchPeopleModule);
