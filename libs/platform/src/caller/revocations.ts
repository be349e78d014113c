import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import pg from 'pg';
import type { EntityManager } from 'typeorm';
import { errorMessage } from '../errors/app-error.js';
import { DATABASE_URL, EventBus } from '../events/event-bus.js';
import type { Caller } from './caller.js';

const topic = 'caller.revoked';
const pollEveryMs = 500;
/** Of a poll's own: one that hangs must not hang the next. */
const pollTimeoutMs = 900;
const staleAfterMs = 1_000;
/** How long a revocation is told to those that may have missed it; longer than any transaction that revokes. */
const toldForSeconds = 120;
/** A poll shows a row no longer than that after it was told, and takes its time. */
const rememberedForMs = toldForSeconds * 1_000 + 5_000;

interface Revoked {
  /** Of its row: a bigint as text. */
  id: string;
  subject: string;
}

/**
 * What was taken away, in every process within a second: by NOTIFY at once, and by a poll of the table that holds the bound while LISTEN is cut.
 * `isCurrent` says whether that holds right now; where it does not, whoever remembers grants asks the database instead.
 */
@Injectable()
export class Revocations implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(Revocations.name);
  readonly #listeners = new Set<(subject: string) => void>();
  readonly #pool: pg.Pool;
  /** Ids of rows that were told, and when. */
  readonly #told = new Map<string, { at: number }>();
  /** By subject: the count that its last revocation made. */
  readonly #recent = new Map<string, { at: number; count: number }>();
  #lastSeenAt = -Infinity;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(
    @Inject(DATABASE_URL) url: string,
    private readonly events: EventBus,
  ) {
    // A connection of its own: a pool that is used up would hold the poll up. A poll that was given up here ends over there too, or those of a locked table would take up all connections.
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 1,
      connectionTimeoutMillis: pollTimeoutMs,
      query_timeout: pollTimeoutMs,
      statement_timeout: pollTimeoutMs,
      keepAlive: true,
      application_name: 'openfactory-revocations',
    });
    this.#pool.on('error', () => undefined);
  }

  async onModuleInit(): Promise<void> {
    this.events.subscribe(topic, { onEvent: (row) => this.#hear(row), onGap: () => void this.#poll() });
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
    const rows = await manager.query<Revoked[]>(
      'INSERT INTO revocation (subject) SELECT unnest($1::text[]) RETURNING id, subject',
      [subjects],
    );
    for (const { id, subject } of rows)
      await this.events.publish((sql, parameters) => manager.query(sql, parameters), topic, `${id} ${subject}`);
  }

  /** Called once for each revocation, however it was heard of. One of a process that starts may be up to two minutes old. */
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

  /** Whether it was taken away while somebody was on the way from the check to what is opened: minutes at the most. */
  wasRevokedSince({ revocationSubjects, checkedAt }: Pick<Caller, 'revocationSubjects' | 'checkedAt'>): boolean {
    return revocationSubjects.some((subject) => (this.#recent.get(subject)?.count ?? -Infinity) > checkedAt);
  }

  /** Rows that nobody needs any more. On a connection of the caller's: the poll has but one. */
  async purgeExpired(manager: EntityManager): Promise<void> {
    await manager.query("DELETE FROM revocation WHERE at < now() - interval '1 hour'");
  }

  async #pollAgain(): Promise<void> {
    await this.#poll();
    if (!this.#isStopping) this.#timer = setTimeout(() => void this.#pollAgain(), pollEveryMs).unref();
  }

  async #poll(): Promise<void> {
    const startedAt = performance.now();
    try {
      // By time, not by the last id: ids are given before a transaction commits, so a lower one may come later.
      const { rows } = await this.#pool.query<Revoked>(
        `SELECT id, subject FROM revocation WHERE at > now() - interval '${toldForSeconds} seconds'`,
      );
      for (const row of rows) this.#tell(row);
      this.#lastSeenAt = Math.max(this.#lastSeenAt, startedAt);
    } catch (error) {
      if (!this.#isStopping)
        this.#logger.warn(
          `Revocations could not be read; every check asks the database meanwhile: ${errorMessage(error)}`,
        );
    }
  }

  /** The subject of an event goes with its id, so that nobody has to ask the database first. */
  #hear(row: string): void {
    const [id = '', subject = ''] = row.split(' ', 2);
    this.#tell({ id, subject });
  }

  #tell({ id, subject }: Revoked): void {
    if (this.#told.has(id)) return;
    this.#count++;
    remember(this.#told, id, { at: performance.now() });
    remember(this.#recent, subject, { at: performance.now(), count: this.#count });
    for (const listener of this.#listeners) {
      try {
        listener(subject);
      } catch (error) {
        this.#logger.error(`A listener to revocations failed: ${errorMessage(error)}`);
      }
    }
  }
}

/** Keeps the oldest first, so that what is too old is found without a look at the rest. */
function remember<T extends { at: number }>(kept: Map<string, T>, key: string, value: T): void {
  kept.delete(key);
  kept.set(key, value);
  for (const [old, { at }] of kept) {
    if (value.at - at <= rememberedForMs) return;
    kept.delete(old);
  }
}
