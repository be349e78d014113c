import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Mailer, type Mail } from './mailer.port.js';
import { MailRoom } from './mail-room.js';
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

describe('MailRoom', () => {
  it('sends what there is to send, and waits for it at the end', async () => {
    const mailer = new FakeMailer();
    const room = new MailRoom(mailer);
    room.sendSoon(() => Promise.resolve(mail));
    room.sendSoon(() => Promise.resolve(undefined));
    await room.onApplicationShutdown();
    expect(mailer.sent).toEqual([mail]);
    expect(warned).not.toHaveBeenCalled();
  });

  it.each([
    ['the mail server refuses', new FakeMailer(Object.assign(new Error('550 no such user ada@example.com #token=abc'), { code: 'EENVELOPE' })), 'EENVELOPE'],
    ['there is no mail server', new NoMailer(), 'AppError'],
  ])('says in the log that %s, but not to whom or what', async (_, mailer, word) => {
    const room = new MailRoom(mailer);
    room.sendSoon(() => Promise.resolve(mail));
    await room.onApplicationShutdown();
    expect(warned.mock.calls).toEqual([[`A mail could not be sent (${word}).`]]);
  });

  it('survives what breaks before there is a mail', async () => {
    const room = new MailRoom(new FakeMailer());
    room.sendSoon(() => Promise.reject(new TypeError('ada@example.com')));
    await room.onApplicationShutdown();
    expect(warned.mock.calls).toEqual([['A mail could not be sent (TypeError).']]);
  });
});
