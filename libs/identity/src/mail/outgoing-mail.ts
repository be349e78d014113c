import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Mailer, type Mail } from './mailer.port.js';

/**
 * Sends mail after the request that asked for it was answered: whether there is an account to write to, and how the mail server fares, must
 * show neither in the answer nor in its time.
 */
@Injectable()
export class OutgoingMail implements OnApplicationShutdown {
  readonly #logger = new Logger('Mail');
  readonly #underWay = new Set<Promise<void>>();

  constructor(private readonly mailer: Mailer) {}

  get canSend(): boolean {
    return this.mailer.canSend;
  }

  /** @param write finds out whether there is anything to send */
  sendSoon(write: () => Promise<Mail | undefined>): void {
    const sending = this.#send(write).finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #send(write: () => Promise<Mail | undefined>): Promise<void> {
    try {
      const mail = await write();
      if (mail) await this.mailer.send(mail);
    } catch (error) {
      // Not the message: mail servers repeat the address in it.
      this.#logger.warn(`A mail could not be sent (${(error as { code?: string }).code ?? (error as Error).name}).`);
    }
  }
}
