import { Injectable } from '@nestjs/common';
import { Settings } from '#libs/platform';
import { NewPasswords } from '../passwords/new-passwords.js';
import { readEmail } from './email.js';
import { SignUpRepository } from './sign-up.repository.js';

/** A factory without any account gets its first administrator: the one of the settings, or whoever opens the set-up link. */
@Injectable()
export class FirstAdministrator {
  constructor(
    private readonly settings: Settings,
    private readonly signUps: SignUpRepository,
    private readonly passwords: NewPasswords,
  ) {}

  /** @returns the set-up link, where somebody has to open one. @throws AppError `invalid_email`, `weak_password` */
  async prepare(): Promise<string | undefined> {
    if (await this.signUps.isSetUp()) return undefined;
    const { adminEmail, adminPassword } = this.settings;
    if (adminEmail === undefined || adminPassword === undefined) return await this.signUps.issueSetUp();
    const email = readEmail(adminEmail);
    await this.signUps.insertFirst({ email, passwordHash: await this.passwords.hash(adminPassword, email) });
    return undefined;
  }
}
