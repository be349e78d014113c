import { AppError } from '../errors/app-error.js';
import type { HttpTimeouts } from './http-timeouts.js';

/** Watches that a body goes on coming. */
export class BodyProgress {
  #bytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(onStalled: (error: AppError) => void, { bodySpanMs: spanMs, leastBodyBytes: leastBytes }: HttpTimeouts) {
    this.#timer = setInterval(() => {
      if (this.#bytes < leastBytes) onStalled(tooSlow(spanMs));
      this.#bytes = 0;
    }, spanMs).unref();
  }

  came(bytes: number): void {
    this.#bytes += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function tooSlow(spanMs: number): AppError {
  return new AppError({
    kind: 'too_slow',
    reason: 'body_too_slow',
    message: `Next to nothing of the body came for ${spanMs / 1000} seconds.`,
    hint: 'Send it again, without pauses.',
    retryable: true,
  });
}
