import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Mailer, type Mail } from './mailer.port.js';
import { OutgoingMail } from './outgoing-mail.js';
import { NoMailer } from './no-mailer.js';

const mail: Mail = { to: 'ada@example.com', subject: 'Hello', text: 'https://factory.example/account#token=abc' };

class FakeMailer extends Mailer {
  readonly canSend = true;
  readonly sent: Mail[] = [];
  constructor(private readonly failure?: Error) {
    super();
  }
  send(letter: Mail): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    this.sent.push(letter);
    return Promise.resolve();
  }
}

const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
afterEach(() => void warned.mockClear());

describe('OutgoingMail', () => {
  it('sends what there is to send, and waits for it at the end', async () => {
    const mailer = new FakeMailer();
    const outgoing = new OutgoingMail(mailer);
    outgoing.sendSoon(() => Promise.resolve(mail));
    outgoing.sendSoon(() => Promise.resolve(undefined));
    await outgoing.onApplicationShutdown();
    expect(mailer.sent).toEqual([mail]);
    expect(warned).not.toHaveBeenCalled();
  });

  it.each([
    [
      'the mail server refuses',
      new FakeMailer(Object.assign(new Error('550 no such user ada@example.com #token=abc'), { code: 'EENVELOPE' })),
      'EENVELOPE',
    ],
    ['there is no mail server', new NoMailer(), 'AppError'],
  ])('says in the log that %s, but not to whom or what', async (_, mailer, word) => {
    const outgoing = new OutgoingMail(mailer);
    outgoing.sendSoon(() => Promise.resolve(mail));
    await outgoing.onApplicationShutdown();
    expect(warned.mock.calls).toEqual([[`A mail could not be sent (${word}).`]]);
  });

  it('survives what breaks before there is a mail', async () => {
    const outgoing = new OutgoingMail(new FakeMailer());
    outgoing.sendSoon(() => Promise.reject(new TypeError('ada@example.com')));
    await outgoing.onApplicationShutdown();
    expect(warned.mock.calls).toEqual([['A mail could not be sent (TypeError).']]);
  });
});
