import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AccountKeys, Revocations } from '#libs/platform';
import { SignInRepository, type WhichSignIns } from './sign-in.repository.js';

/** Ends sign-ins and keys of accounts, and with them whatever was opened on them, in every process. */
@Injectable()
export class SignInEndings {
  constructor(
    private readonly signIns: SignInRepository,
    private readonly revocations: Revocations,
    private readonly keys: AccountKeys,
  ) {}

  /** @returns how many held until now */
  async end(manager: EntityManager, which: WhichSignIns): Promise<number> {
    const ended = await this.signIns.end(manager, which);
    await this.revocations.revoke(
      manager,
      ended.map((id) => `session:${id}`),
    );
    return ended.length;
  }

  /** What goes on without a sign-in. */
  async endKeys(manager: EntityManager, accountId: string): Promise<void> {
    await this.keys.revokeAll(manager, accountId);
  }
}
