import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CallerService } from '../caller/caller.service.js';
import { HttpTimeouts } from './http-timeouts.js';
import { FlowingAnswers, mostAnswersOfAddress } from './flowing-answers.js';

const timeouts = new HttpTimeouts();

class FakeResponse extends EventEmitter {
  socket = { bytesWritten: 0, writableLength: 0 };
  isDestroyed = false;
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

const answers = () =>
  new FlowingAnswers(
    { addressOf: ({ headers }: IncomingMessage) => headers.from } as unknown as CallerService,
    timeouts,
  );
const open = (all: FlowingAnswers, from = '192.0.2.1') => {
  const response = new FakeResponse();
  all.admit({ headers: { from } } as IncomingMessage, response as unknown as ServerResponse);
  return response;
};

describe('answers that flow', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('have a bound by address, and make room when they end', () => {
    const all = answers();
    const own = Array.from({ length: mostAnswersOfAddress }, () => open(all));
    expect(() => open(all)).toThrow(expect.objectContaining({ kind: 'quota', reason: 'too_many_downloads' }));
    open(all, '192.0.2.2');
    own[0]!.emit('close');
    open(all);
  });

  it('end when nobody reads them, and not while somebody does, however slowly', () => {
    const all = answers();
    const [unread, slow, quiet] = [open(all), open(all), open(all)];
    unread.socket = { bytesWritten: 70_000, writableLength: 60_000 };
    slow.socket = { bytesWritten: 70_000, writableLength: 60_000 };
    // Nothing is there to be read: an event stream between two events.
    quiet.socket = { bytesWritten: 500, writableLength: 0 };
    for (let second = 0; second < 10 * (timeouts.stalledMs / 1000); second += 10) {
      if (second % 30 === 0) slow.socket.writableLength--;
      jest.advanceTimersByTime(10_000);
    }
    expect([unread, slow, quiet].map(({ isDestroyed }) => isDestroyed)).toEqual([true, false, false]);
  });
});
