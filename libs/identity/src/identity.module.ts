import { Module } from '@nestjs/common';
import { Settings } from '#libs/platform';
import { AccountRepository } from './accounts/account.repository.js';
import { FirstAdministrator } from './accounts/first-administrator.js';
import { PasswordService } from './accounts/password.service.js';
import { ResetRequests } from './accounts/reset-request.service.js';
import { SignUpRepository } from './accounts/sign-up.repository.js';
import { SignUpService } from './accounts/sign-up.service.js';
import { AdministrationService } from './admin/administration.service.js';
import { InvitationService } from './admin/invitation.service.js';
import { GuessLimits } from './guessing/guess-limits.js';
import { AccountController } from './http/account.controller.js';
import { AccountLinksController } from './http/account-links.controller.js';
import { AdministrationController } from './http/administration.controller.js';
import { RefreshCookie } from './http/refresh-cookie.js';
import { SignInController } from './http/sign-in.controller.js';
import { IdentityJobs } from './identity.jobs.js';
import { AccountLinkRepository } from './links/account-link.repository.js';
import { AccountLinks } from './links/account-link.service.js';
import { OutgoingMail } from './mail/outgoing-mail.js';
import { Mailer } from './mail/mailer.port.js';
import { NoMailer } from './mail/no-mailer.js';
import { SmtpMailer } from './mail/smtp-mailer.js';
import { NewPasswords } from './passwords/new-passwords.js';
import { PasswordHasher } from './passwords/password-hasher.js';
import { AccessTokens } from './sign-in/access-tokens.js';
import { Credentials } from './sign-in/credentials.js';
import { PeopleResolver } from './sign-in/people.resolver.js';
import { RefreshTokens } from './sign-in/refresh-tokens.js';
import { SignInEndings } from './sign-in/sign-in-endings.service.js';
import { SignInRepository } from './sign-in/sign-in.repository.js';
import { SignInService } from './sign-in/sign-in.service.js';
import { SignInTokens } from './sign-in/sign-in-tokens.js';

const mailer = {
  provide: Mailer,
  useFactory: (settings: Settings) =>
    settings.smtpUrl === undefined ? new NoMailer() : new SmtpMailer(settings.smtpUrl, settings),
  inject: [Settings],
};

/** People: accounts, signing in, and what administrators do with both. */
@Module({
  controllers: [SignInController, AccountController, AccountLinksController, AdministrationController],
  providers: [
    AccountRepository,
    AccountLinkRepository,
    SignInRepository,
    SignUpRepository,
    PasswordHasher,
    NewPasswords,
    GuessLimits,
    mailer,
    OutgoingMail,
    AccountLinks,
    AccessTokens,
    RefreshTokens,
    SignInTokens,
    SignInEndings,
    Credentials,
    SignInService,
    PeopleResolver,
    PasswordService,
    ResetRequests,
    SignUpService,
    FirstAdministrator,
    AdministrationService,
    InvitationService,
    RefreshCookie,
    IdentityJobs,
  ],
  exports: [FirstAdministrator],
})
export class IdentityModule {}
