import { define } from '../setting-definition.js';
import { fail, integer, oneOf } from '../setting-parsers.js';

/** As it is written to be compared: without the spaces around it, in lower case. */
const email = (value?: string): string | undefined =>
  value === undefined || /^[^\s@]+@[^\s@]+$/.test(value) ? value?.toLowerCase() : fail('must be one e-mail address');
const adminPassword = (value?: string): string | undefined =>
  value === undefined || (value.length >= 12 && value.length <= 256) ? value : fail('must hold 12 to 256 characters');
const smtpUrl = (value?: string): string | undefined =>
  value === undefined ||
  (/^smtps?:$/.test(URL.canParse(value) ? new URL(value).protocol : '') && new URL(value).hostname)
    ? value
    : fail('must be a URL such as smtps://user:password@mail.example:465');
const sender = (value?: string): string | undefined =>
  value === undefined || /^([^<>\r\n]* <)?[^\s<>@]+@[^\s<>@]+>?$/.test(value)
    ? value
    : fail('must be an address such as factory@example.com, or OpenFactory <factory@example.com>');

/** Read by libs/identity. */
export const identitySettings = {
  signUp: define({
    name: 'OPENFACTORY_SIGN_UP',
    meaning:
      'Who may make an account. invitation: whoever has the link of an administrator; open: everybody; closed: nobody, administrators make them (openfactory admin create-user).',
    shownDefault: 'invitation',
    parse: oneOf(['invitation', 'open', 'closed'], 'invitation'),
  }),
  adminEmail: define({
    name: 'OPENFACTORY_ADMIN_EMAIL',
    meaning:
      'E-mail of the first administrator, made at a start without any account. Goes with OPENFACTORY_ADMIN_PASSWORD; without both, the start prints a set-up link.',
    shownDefault: 'none',
    parse: email,
  }),
  adminPassword: define({
    name: 'OPENFACTORY_ADMIN_PASSWORD',
    meaning: 'Password of the first administrator (12 to 256 characters); of no use once there is an account.',
    shownDefault: 'none',
    secret: true,
    parse: adminPassword,
  }),
  accessTokenMinutes: define({
    name: 'OPENFACTORY_ACCESS_TOKEN_MINUTES',
    meaning: 'Minutes that an access token is valid.',
    shownDefault: '15',
    parse: integer(1, 1440, 15),
  }),
  signInDays: define({
    name: 'OPENFACTORY_SIGN_IN_DAYS',
    meaning: 'Days after which somebody must sign in again, however often their token was refreshed.',
    shownDefault: '30',
    parse: integer(1, 365, 30),
  }),
  smtpUrl: define({
    name: 'OPENFACTORY_SMTP_URL',
    meaning:
      'The mail server that links are sent through (smtp:// or smtps://). Without one nothing is sent, and administrators hand links out.',
    shownDefault: 'none',
    secret: true,
    parse: smtpUrl,
  }),
  mailFrom: define({
    name: 'OPENFACTORY_MAIL_FROM',
    meaning: 'The sender of mail.',
    shownDefault: 'OpenFactory <openfactory@ the host of the public URL>',
    parse: sender,
  }),
} as const;
