import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { CallerService } from '../caller/caller.service.js';
import { AppError } from '../errors/app-error.js';
import { HttpTimeouts } from './http-timeouts.js';

/** Of one address: more than programs open for one file in parts. */
export const mostAnswersOfAddress = 16;
const looksPerStall = 4;

interface Flowing {
  response: ServerResponse;
  sentBytes: number;
  stalledLooks: number;
}

/** Answers that are long: files, logs, exports, events. Each goes on as long as somebody reads it, however slowly, and an address has so many at once. */
@Injectable()
export class FlowingAnswers {
  readonly #byAddress = new Map<string, Set<Flowing>>();

  constructor(
    private readonly callers: CallerService,
    private readonly timeouts: HttpTimeouts,
  ) {}

  /** To be called before the answer begins. @throws AppError `too_many_downloads` */
  admit(request: IncomingMessage, response: ServerResponse): void {
    const address = this.callers.addressOf(request);
    const own = this.#byAddress.get(address) ?? new Set();
    if (own.size >= mostAnswersOfAddress) {
      throw new AppError({
        kind: 'quota',
        reason: 'too_many_downloads',
        message: `Your address has ${own.size} downloads open, which is the most.`,
        hint: 'Wait until one has ended.',
        retryAfterSeconds: 10,
      });
    }
    const flowing: Flowing = { response, sentBytes: 0, stalledLooks: 0 };
    this.#byAddress.set(address, own.add(flowing));
    const timer = setInterval(() => look(flowing), this.timeouts.stalledMs / looksPerStall).unref();
    response.once('close', () => {
      clearInterval(timer);
      own.delete(flowing);
      if (!own.size) this.#byAddress.delete(address);
    });
  }
}

function look(flowing: Flowing): void {
  const { response, sentBytes } = flowing;
  const { socket } = response;
  if (!socket) return;
  const waitingBytes = socket.writableLength;
  flowing.sentBytes = socket.bytesWritten - waitingBytes;
  flowing.stalledLooks = waitingBytes > 0 && flowing.sentBytes === sentBytes ? flowing.stalledLooks + 1 : 0;
  if (flowing.stalledLooks >= looksPerStall) response.destroy();
}
