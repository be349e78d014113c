import { Injectable } from '@nestjs/common';
import { PasswordHasher } from './password-hasher.js';
import { checkNewPassword } from './password-rules.js';

/** Passwords that somebody chooses. */
@Injectable()
export class NewPasswords {
  constructor(private readonly hasher: PasswordHasher) {}

  /** @throws AppError `weak_password`, `too_busy` */
  async hash(password: string, email: string): Promise<string> {
    checkNewPassword(password, email);
    return await this.hasher.hash(password);
  }

  /** @throws AppError `too_busy` */
  async isCurrent({ passwordHash }: { passwordHash: string }, password: string): Promise<boolean> {
    return await this.hasher.matches(passwordHash, password);
  }
}
