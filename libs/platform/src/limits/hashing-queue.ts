import { Injectable } from '@nestjs/common';
import { AppError } from '../errors/app-error.js';

/** Hashing is made to be dear: it has two processors at most, whoever asks. */
const mostAtOnce = 2;
/** Of one asker. */
const mostWaiting = 50;

interface Waiting {
  start: () => void;
}

/**
 * The one place for hashing passwords, of accounts and of recipes alike: a few at a time in a process, and each asker in turn, so that who brings a hundred
 * passwords waits for themselves and nobody else does.
 */
@Injectable()
export class HashingQueue {
  readonly #waiting = new Map<string, Waiting[]>();
  #running = 0;

  /**
   * @param asker who waits in turn with others
   * @throws AppError `too_busy`; the signal's reason, where it is aborted before its turn came
   */
  async run<T>(asker: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running >= mostAtOnce) await this.#turn(asker, signal);
    else this.#running++;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(asker: string, signal: AbortSignal | undefined): Promise<void> {
    const own = this.#waiting.get(asker) ?? [];
    if (own.length >= mostWaiting)
      throw new AppError({
        kind: 'unavailable',
        reason: 'too_busy',
        message: 'Too many passwords are being hashed at this moment.',
        hint: 'Try again in a few seconds.',
        retryAfterSeconds: 5,
      });
    return new Promise((resolve, reject) => {
      const waiting = {
        start: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        this.#leave(asker, waiting);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
      own.push(waiting);
      this.#waiting.set(asker, own);
    });
  }

  /** Hands the place on: to the asker who waits longest, who then stands behind all others. */
  #next(): void {
    const [first] = this.#waiting;
    if (!first) {
      this.#running--;
      return;
    }
    const [asker, own] = first;
    const next = own.shift();
    this.#waiting.delete(asker);
    if (own.length) this.#waiting.set(asker, own);
    next?.start();
  }

  #leave(asker: string, waiting: Waiting): void {
    const own = this.#waiting.get(asker)?.filter((other) => other !== waiting) ?? [];
    if (own.length) this.#waiting.set(asker, own);
    else this.#waiting.delete(asker);
  }
}
