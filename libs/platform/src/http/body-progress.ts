import { AppError } from '../errors/app-error.js';

/**
 * Within each span a sender has to have sent so much (or the rest). A slow line does (it is 200 bytes a second); a sender that holds a body half sent does
 * not, and is let go after one span, whatever it promised.
 */
export const bodyPace = { spanMs: 20_000, leastBytes: 4_096 } as const;

/** Watches that a body goes on coming. */
export class BodyProgress {
  #bytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(onStalled: (error: AppError) => void, { spanMs, leastBytes }: { spanMs: number; leastBytes: number } = bodyPace) {
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
  return new AppError({ kind: 'too_slow', reason: 'body_too_slow', message: `Next to nothing of the body came for ${spanMs / 1000} seconds.`, hint: 'Send it again, without pauses.', retryable: true });
}
