import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  to: string[];
  /** Headers and text as they came, with soft line breaks taken out. */
  content: string;
}

/** A mail server that keeps what it gets. */
export class MailServer {
  readonly received: ReceivedMail[] = [];
  readonly #server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, { envelope }, done) => {
      text(stream).then((content) => {
        this.received.push({
          to: envelope.rcptTo.map(({ address }) => address),
          content: content.replaceAll('=\r\n', '').replaceAll('=3D', '='),
        });
        done();
      }, done);
    },
  });

  static async start(): Promise<MailServer> {
    const server = new MailServer();
    server.#server.on('error', () => undefined);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server.server, 'listening');
    return server;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.#server.server.address() as AddressInfo).port}`;
  }

  /** The newest mail to an address, once there are so many to it. */
  async mailTo(address: string, count = 1, withinMs = 10_000): Promise<string> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const mails = this.received.filter(({ to }) => to.includes(address));
      if (mails.length >= count) return mails.at(-1)!.content;
      if (Date.now() > deadline) throw new Error(`No mail came to ${address}.`);
      await sleep(10);
    }
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
