import type { Transporter } from 'nodemailer';
import type { Settings } from '#libs/platform';
import { Mailer, type Mail } from './mailer.port.js';

const timeouts = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 };

export class SmtpMailer extends Mailer {
  readonly canSend = true;
  #transport: Promise<Transporter> | undefined;

  constructor(
    private readonly url: string,
    private readonly settings: Settings,
  ) {
    super();
  }

  async send(mail: Mail): Promise<void> {
    this.#transport ??= this.#open();
    await (
      await this.#transport
    ).sendMail({
      ...mail,
      from: this.settings.mailFrom ?? `OpenFactory <openfactory@${new URL(this.settings.publicUrl).hostname}>`,
    });
  }

  /** Loaded with the first mail: most factories never send one. */
  async #open(): Promise<Transporter> {
    const { createTransport } = await import('nodemailer');
    return createTransport({ url: this.url, ...timeouts });
  }
}
