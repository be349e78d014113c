import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GuessLimits, type Guess } from '../guessing/guess-limits.js';
import { AccountLinks } from '../links/account-link.service.js';
import { emails } from '../mail/emails.js';
import { OutgoingMail } from '../mail/outgoing-mail.js';
import { AccountRepository } from './account.repository.js';

/** What is told to whoever asks; the same whether there is an account or not. */
export interface Told {
  message: string;
  hint: string;
}

/** “I forgot my password.” */
@Injectable()
export class ResetRequests {
  constructor(
    private readonly database: DataSource,
    private readonly accounts: AccountRepository,
    private readonly links: AccountLinks,
    private readonly mail: OutgoingMail,
    private readonly limits: GuessLimits,
  ) {}

  /** @throws AppError `too_many_attempts` */
  async ask(guess: Guess): Promise<Told> {
    await this.limits.askForMail(guess);
    if (!this.mail.canSend)
      return {
        message: 'This factory sends no mail, so no link was sent.',
        hint: 'Ask your administrator for a link to set a new password.',
      };
    this.mail.sendSoon(async () => {
      const account = await this.accounts.findByEmail(guess.email);
      if (!account || account.disabledAt) return undefined;
      const { url } = await this.database.transaction((manager) => this.links.issueReset(manager, account.id));
      return emails.reset(account.email, url);
    });
    return {
      message: 'If there is an account with this address, a link to set a new password is on its way to it.',
      hint: 'It is good for an hour. If nothing comes, look among unwanted mail, or ask your administrator.',
    };
  }
}
