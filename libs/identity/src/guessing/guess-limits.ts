import { createHmac } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError, DATABASE_URL, FactorySecret } from '#libs/platform';

/** Whose password is guessed, and from where. */
export interface Guess {
  email: string;
  address: string;
}

const quarterHour = 15 * 60;
const hour = 60 * 60;

/**
 * Slows guessing down: by account and address, by address, by account. Addresses of no account count like any other. It is kept in PostgreSQL:
 * replicas agree on it, and a restart forgets nothing.
 */
@Injectable()
export class GuessLimits implements OnApplicationShutdown {
  readonly #pool: pg.Pool;
  readonly #key: Buffer;
  readonly #perPair: RateLimiterPostgres;
  readonly #perAddress: RateLimiterPostgres;
  readonly #perAccount: RateLimiterPostgres;
  readonly #mailPerAccount: RateLimiterPostgres;
  readonly #mailPerAddress: RateLimiterPostgres;

  constructor(@Inject(DATABASE_URL) url: string, secret: FactorySecret) {
    this.#key = secret.derive('guess-limit');
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 2,
      connectionTimeoutMillis: 5_000,
      application_name: 'openfactory-guess-limits',
    });
    this.#pool.on('error', () => undefined);
    const limiter = (keyPrefix: string, points: number, duration: number) =>
      new RateLimiterPostgres({
        storeClient: this.#pool,
        storeType: 'pool',
        tableName: 'guess_limit',
        tableCreated: true,
        clearExpiredByTimeout: false,
        keyPrefix,
        points,
        duration,
      });
    this.#perPair = limiter('pair', 5, quarterHour);
    this.#perAddress = limiter('address', 50, quarterHour);
    this.#perAccount = limiter('account', 100, hour);
    this.#mailPerAccount = limiter('mail-account', 5, hour);
    this.#mailPerAddress = limiter('mail-address', 20, hour);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#pool.end().catch(() => undefined);
  }

  /**
   * Counts before it checks, so that guesses sent at once are counted too; what was no wrong guess is given back.
   * @param check undefined: the guess was wrong
   * @throws AppError `too_many_attempts`
   */
  async attempt<T>({ email, address }: Guess, check: () => Promise<T | undefined>): Promise<T | undefined> {
    const account = this.#nameless(email);
    const pair = `${account} ${address}`;
    await consume(this.#perPair, pair);
    await consume(this.#perAddress, address);
    await consume(this.#perAccount, account);
    const giveBack = () => Promise.all([this.#perAddress.reward(address), this.#perAccount.reward(account)]);
    try {
      const found = await check();
      if (found !== undefined) await Promise.all([this.#perPair.delete(pair), giveBack()]);
      return found;
    } catch (error) {
      await Promise.all([this.#perPair.reward(pair), giveBack()]);
      throw error;
    }
  }

  /** For requests that anybody may send and that make work or mail. @throws AppError `too_many_attempts` */
  async askForMail({ email, address }: Guess): Promise<void> {
    await consume(this.#mailPerAddress, address);
    await consume(this.#mailPerAccount, this.#nameless(email));
  }

  async purgeExpired(): Promise<void> {
    await this.#pool.query('DELETE FROM guess_limit WHERE expire < $1', [Date.now()]);
  }

  /** Addresses that people tried are nobody's business, not even in the database. */
  #nameless(email: string): string {
    return createHmac('sha256', this.#key).update(email).digest('base64url');
  }
}

async function consume(limiter: RateLimiterPostgres, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (rejected) {
    if (!(rejected instanceof RateLimiterRes)) throw rejected;
    const retryAfterSeconds = Math.max(1, Math.ceil(rejected.msBeforeNext / 1000));
    throw new AppError({
      kind: 'quota',
      reason: 'too_many_attempts',
      message: 'There were too many attempts.',
      hint: `Try again in ${Math.ceil(retryAfterSeconds / 60)} minutes.`,
      retryAfterSeconds,
    });
  }
}
