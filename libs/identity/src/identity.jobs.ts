import { Injectable, Logger } from '@nestjs/common';
import { Job } from '#libs/platform';
import { GuessLimits } from './guessing/guess-limits.js';
import { AccountLinkRepository } from './links/account-link.repository.js';
import { SignInRepository } from './sign-in/sign-in.repository.js';

@Injectable()
export class IdentityJobs {
  private readonly log = new Logger('Identity');

  constructor(
    private readonly signIns: SignInRepository,
    private readonly links: AccountLinkRepository,
    private readonly limits: GuessLimits,
  ) {}

  @Job({ queue: 'identity.forget-old', schedule: '37 3 * * *', single: true })
  async purgeExpired(): Promise<void> {
    const signIns = await this.signIns.purgeExpired();
    const links = await this.links.purgeExpired();
    await this.limits.purgeExpired();
    if (signIns + links) this.log.log(`Forgot ${signIns} old sign-ins and ${links} links`);
  }
}
