import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Caller } from '../caller/caller.js';
import { Settings } from '../config/settings.js';
import { AppError } from '../errors/app-error.js';
import { DATABASE_URL } from '../events/event-bus.js';
import { MinuteCounters } from './minute-counters.js';

/** To be put behind the hint of a refusal that only anonymous callers get. */
export const widerLimits = 'An account or an API key has wider limits.';

interface Limit {
  counter: RateLimiterAbstract;
  most: number;
  /** Completes "More than 600 calls in a minute came from …". */
  whose: string;
  hint: string;
}

/** How often somebody may call, over every edge together. The common way is a count in memory. */
@Injectable()
export class CallLimits implements OnApplicationShutdown {
  readonly #counters: MinuteCounters;
  readonly #ofPrincipal: Limit;
  readonly #ofAnonymous: Limit;
  readonly #ofAddress: Limit;
  readonly #mostFailures: number;
  readonly #failures: RateLimiterAbstract;
  /** Addresses that guessed too often, and until when (milliseconds of the epoch) nothing of theirs is looked at. */
  readonly #guessers = new LRUCache<string, number>({ max: 10_000 });

  constructor(settings: Settings, @Inject(DATABASE_URL) databaseUrl: string) {
    this.#counters = new MinuteCounters(settings.limitsStore, databaseUrl);
    const limit = (name: string, most: number, whose: string, hint: string): Limit => ({
      counter: this.#counters.make(name, most),
      most,
      whose,
      hint,
    });
    this.#ofPrincipal = limit('principal', settings.callsPerMinute, 'you', 'Wait until then, and ask less often.');
    this.#ofAnonymous = limit(
      'anonymous',
      settings.anonymousCallsPerMinute,
      'the anonymous caller of your address',
      `Wait until then, and ask less often. ${widerLimits}`,
    );
    this.#ofAddress = limit(
      'address',
      settings.callsPerMinutePerAddress,
      'your address, whoever made them',
      'Wait until then, and ask less often.',
    );
    this.#mostFailures = settings.refusedCredentialsPerMinute;
    this.#failures = this.#counters.make('failure', this.#mostFailures);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#counters.close();
  }

  /** Counts a request before anything is known of who sent it. @returns the refusal `rate_limited`, undefined within the limit */
  async countRequest(address: string): Promise<AppError | undefined> {
    return await count(this.#ofAddress, address);
  }

  /** Counts a request of somebody known. @returns the refusal `rate_limited`, undefined within the limit */
  async countCall({ kind, principalId }: Pick<Caller, 'kind' | 'principalId'>): Promise<AppError | undefined> {
    return await count(kind === 'anonymous' ? this.#ofAnonymous : this.#ofPrincipal, principalId);
  }

  /** To be asked before credentials are checked, so that guessing costs us nothing. @throws AppError `rate_limited` */
  refuseGuesser(address: string): void {
    const until = this.#guessers.get(address);
    if (until === undefined) return;
    const ms = until - Date.now();
    if (ms > 0)
      throw rateLimited(
        `${this.#mostFailures} credentials that came from your address within a minute were refused`,
        'Wait until then, and send valid ones.',
        ms,
      );
    this.#guessers.delete(address);
  }

  /** Credentials from this address were refused. */
  async countFailure(address: string): Promise<void> {
    const { consumedPoints, msBeforeNext } = await this.#failures.penalty(address);
    if (consumedPoints >= this.#mostFailures) this.#guessers.set(address, Date.now() + msBeforeNext);
  }

  async purgeExpired(): Promise<void> {
    await this.#counters.purgeExpired();
  }
}

async function count({ counter, most, whose, hint }: Limit, key: string): Promise<AppError | undefined> {
  try {
    await counter.consume(key);
    return undefined;
  } catch (full) {
    if (full instanceof RateLimiterRes)
      return rateLimited(`More than ${most} calls in a minute came from ${whose}`, hint, full.msBeforeNext);
    throw full;
  }
}

function rateLimited(what: string, hint: string, ms: number): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil(ms / 1000));
  return new AppError({
    kind: 'quota',
    reason: 'rate_limited',
    message: `${what}; the next is taken in ${retryAfterSeconds} s.`,
    hint,
    retryAfterSeconds,
  });
}
