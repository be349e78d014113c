import pg from 'pg';
import { RateLimiterMemory, RateLimiterPostgres, type RateLimiterAbstract } from 'rate-limiter-flexible';

const seconds = 60;
/** A call waits no longer than this for its count; then this process counts for itself. */
const timeoutMs = 500;

/**
 * Counters of a minute that begins with the first call of a key: a burst may take the whole of it at once, and the next minute gives the whole again.
 * A fixed window and not two rates (BurstyRateLimiter), because its numbers are those that a refusal names.
 */
export class MinuteCounters {
  readonly #pool: pg.Pool | undefined;

  constructor(store: 'memory' | 'postgres', databaseUrl: string) {
    if (store === 'memory') return;
    // Of its own: calls must be counted, or let go, when the other pool is used up.
    this.#pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 4,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      keepAlive: true,
      application_name: 'openfactory-limits',
    });
    this.#pool.on('error', () => undefined);
  }

  make(name: string, points: number): RateLimiterAbstract {
    const options = { keyPrefix: name, points, duration: seconds };
    const memory = new RateLimiterMemory(options);
    if (!this.#pool) return memory;
    return new RateLimiterPostgres({
      ...options,
      storeClient: this.#pool,
      storeType: 'pool',
      tableName: 'rate_limit',
      tableCreated: true,
      // A flood that is refused costs no query.
      inMemoryBlockOnConsumed: points,
      insuranceLimiter: memory,
      clearExpiredByTimeout: false,
    });
  }

  /** Rows of minutes that are over. */
  async purgeExpired(): Promise<void> {
    await this.#pool?.query('DELETE FROM rate_limit WHERE expire < $1', [Date.now()]);
  }

  async close(): Promise<void> {
    await this.#pool?.end().catch(() => undefined);
  }
}
