import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import pg from 'pg';
import type { EntityManager } from 'typeorm';
import { errorMessage } from '../errors/app-error.js';
import { DATABASE_URL, EventBus } from '../events/event-bus.js';

const topic = 'caller.revoked';
const pollEveryMs = 500;
/** Of a poll's own: one that hangs must not hang the next. */
const pollTimeoutMs = 900;
const staleAfterMs = 1_000;
/** How long a revocation is told to those that may have missed it; longer than any transaction that revokes. */
const toldForSeconds = 120;
/** From the check of credentials to the stream that is opened on it. */
const justNowMs = 10_000;

/**
 * What was taken away, in every process within a second: by NOTIFY at once, and by a poll of the table that holds the bound while LISTEN is cut.
 * `isCurrent` says whether that holds right now; where it does not, whoever remembers grants asks the database instead.
 */
@Injectable()
export class Revocations implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(Revocations.name);
  readonly #listeners = new Set<(subject: string) => void>();
  readonly #pool: pg.Pool;
  /** Ids of rows that were told. */
  #told = new Set<string>();
  readonly #recent = new Map<string, number>();
  #lastSeenAt = -Infinity;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(
    @Inject(DATABASE_URL) url: string,
    private readonly events: EventBus,
  ) {
    // A connection of its own: a pool that is used up would hold the poll up.
    this.#pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: pollTimeoutMs, query_timeout: pollTimeoutMs, keepAlive: true, application_name: 'openfactory-revocations' });
    this.#pool.on('error', () => undefined);
  }

  async onModuleInit(): Promise<void> {
    this.events.subscribe(topic, { onEvent: (subject) => this.#tell(subject), onGap: () => void this.#poll() });
    await this.#pollAgain();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#pool.end().catch(() => undefined);
  }

  /** In the caller's transaction, after the rows that the checks read were written. */
  async revoke(manager: EntityManager, subjects: readonly string[]): Promise<void> {
    if (!subjects.length) return;
    await manager.query('INSERT INTO revocation (subject) SELECT unnest($1::text[])', [subjects]);
    for (const subject of subjects) await this.events.publish((sql, parameters) => manager.query(sql, parameters), topic, subject);
  }

  /** Called once or more for each revoked subject. */
  onRevoked(listener: (subject: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether every revocation that was committed more than a second ago is known here. */
  get isCurrent(): boolean {
    return performance.now() - this.#lastSeenAt < staleAfterMs;
  }

  /** Grows with every revocation: what was checked while it grew may be outdated. */
  get count(): number {
    return this.#count;
  }

  /** Whether it was taken away while somebody was on the way from the check to what is opened. */
  wasJustRevoked(standsOn: readonly string[]): boolean {
    return standsOn.some((subject) => performance.now() - (this.#recent.get(subject) ?? -Infinity) < justNowMs);
  }

  /** Rows that nobody needs any more. @returns how many */
  async forgetOld(): Promise<number> {
    return (await this.#pool.query("DELETE FROM revocation WHERE at < now() - interval '1 hour'")).rowCount ?? 0;
  }

  async #pollAgain(): Promise<void> {
    await this.#poll();
    if (!this.#isStopping) this.#timer = setTimeout(() => void this.#pollAgain(), pollEveryMs).unref();
  }

  async #poll(): Promise<void> {
    const startedAt = performance.now();
    try {
      // By time, not by the last id: ids are given before a transaction commits, so a lower one may come later.
      const { rows } = await this.#pool.query<{ id: string; subject: string }>(`SELECT id, subject FROM revocation WHERE at > now() - interval '${toldForSeconds} seconds'`);
      for (const { id, subject } of rows) if (!this.#told.has(id)) this.#tell(subject);
      this.#told = new Set(rows.map(({ id }) => id));
      this.#lastSeenAt = Math.max(this.#lastSeenAt, startedAt);
    } catch (error) {
      if (!this.#isStopping) this.#logger.warn(`Revocations could not be read; every check asks the database meanwhile: ${errorMessage(error)}`);
    }
  }

  #tell(subject: string): void {
    const now = performance.now();
    this.#count++;
    for (const [old, at] of this.#recent) if (now - at > justNowMs) this.#recent.delete(old);
    this.#recent.set(subject, now);
    for (const listener of this.#listeners) {
      try {
        listener(subject);
      } catch (error) {
        this.#logger.error(`A listener to revocations failed: ${errorMessage(error)}`);
      }
    }
  }
}
