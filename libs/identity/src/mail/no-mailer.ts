import { AppError } from '#libs/platform';
import { Mailer } from './mailer.port.js';

/** Where no mail server is configured. */
export class NoMailer extends Mailer {
  readonly canSend = false;

  send(): Promise<void> {
    return Promise.reject(
      new AppError({
        kind: 'unavailable',
        reason: 'no_mail',
        message: 'This factory sends no mail.',
        hint: 'Set OPENFACTORY_SMTP_URL.',
      }),
    );
  }
}
