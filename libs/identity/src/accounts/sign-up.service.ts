import { Injectable } from '@nestjs/common';
import { AppError, invalid, Settings } from '#libs/platform';
import { GuessLimits, type Guess } from '../guessing/guess-limits.js';
import { AccountLinks } from '../links/account-link.service.js';
import { emails } from '../mail/emails.js';
import { OutgoingMail } from '../mail/outgoing-mail.js';
import { NewPasswords } from '../passwords/new-passwords.js';
import type { Told } from './reset-request.service.js';
import { SignUpRepository } from './sign-up.repository.js';

export interface SignUp extends Guess {
  password: string;
  invitation?: string;
}

const welcome: Told = {
  message: 'You can sign in now.',
  hint: 'If there was an account with this address already, it is as it was: sign in with its password, or ask for a new one.',
};
const mailed: Told = {
  message: 'A mail is on its way to this address: follow its link to go on.',
  hint: 'It is good for a day. If nothing comes, look among unwanted mail.',
};

/** New accounts of people who make them themselves. No answer tells whether an address has an account. */
@Injectable()
export class SignUpService {
  constructor(
    private readonly settings: Settings,
    private readonly signUps: SignUpRepository,
    private readonly links: AccountLinks,
    private readonly passwords: NewPasswords,
    private readonly mail: OutgoingMail,
    private readonly limits: GuessLimits,
  ) {}

  /** @throws AppError `sign_up_closed`, `invitation_required`, `invalid_link`, `invitation_of_another`, `weak_password`, `too_many_attempts` */
  async signUp({ email, password, address, invitation }: SignUp): Promise<Told> {
    if (this.settings.signUp === 'closed') throw closed();
    if (invitation !== undefined) return await this.#byInvitation(invitation, email, password);
    if (this.settings.signUp === 'invitation') throw invitationRequired();
    await this.limits.askForMail({ email, address });
    // Also where it is not used: a weak one is refused now, not a mail later.
    const passwordHash = await this.passwords.hash(password, email);
    if (!this.mail.canSend) {
      await this.signUps.insertUser({ email, passwordHash });
      return welcome;
    }
    this.mail.sendSoon(async () => {
      const url = await this.signUps.issueConfirmation(email);
      return url === undefined ? emails.alreadyThere(email, this.settings.publicUrl) : emails.confirm(email, url);
    });
    return mailed;
  }

  /**
   * Makes the account whose address was proven by the link. Its password is the one that comes with the link, not the one that came with the request for it:
   * anybody could have sent that.
   * @throws AppError `invalid_link`, `weak_password`
   */
  async confirm({ token, password }: { token: string; password: string }): Promise<Told> {
    const { email } = await this.links.look(token, 'confirm');
    const passwordHash = await this.passwords.hash(password, email ?? '');
    await this.signUps.confirm(token, passwordHash);
    return welcome;
  }

  /** The first administrator, by the link that the start printed. @throws AppError `already_set_up`, `invalid_link`, `weak_password` */
  async setUp({ token, email, password }: { token: string; email: string; password: string }): Promise<void> {
    if (await this.signUps.isSetUp()) throw alreadySetUp();
    await this.links.look(token, 'setup');
    const passwordHash = await this.passwords.hash(password, email);
    if (!(await this.signUps.insertFirst({ email, passwordHash }, token))) throw alreadySetUp();
  }

  async #byInvitation(token: string, email: string, password: string): Promise<Told> {
    const { email: invited } = await this.links.look(token, 'invitation');
    if (invited !== null && invited !== email)
      throw invalid(
        'invitation_of_another',
        'This invitation is for another e-mail address.',
        'Use the address that you were invited with, or ask for an invitation for this one.',
      );
    const passwordHash = await this.passwords.hash(password, email);
    await this.signUps.acceptInvitation(token, { email, passwordHash });
    return welcome;
  }
}

const closed = () =>
  new AppError({
    kind: 'forbidden',
    reason: 'sign_up_closed',
    message: 'Accounts are made by administrators here.',
    hint: 'Ask your administrator for one.',
  });
const invitationRequired = () =>
  new AppError({
    kind: 'forbidden',
    reason: 'invitation_required',
    message: 'Signing up needs an invitation here.',
    hint: 'Ask an administrator for one, and use its link.',
  });
const alreadySetUp = () =>
  new AppError({
    kind: 'conflict',
    reason: 'already_set_up',
    message: 'This factory has an account already.',
    hint: 'Sign in, or ask an administrator for an invitation; who lost the password asks whoever runs the factory for: openfactory admin reset EMAIL',
  });
