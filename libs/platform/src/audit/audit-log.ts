import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import pg from 'pg';
import { errorMessage } from '../errors/app-error.js';
import { DATABASE_URL } from '../events/event-bus.js';
import { auditRow, type AuditEvent, type AuditRow, type RefusedCredentials } from './audit-entry.js';

const flushEveryMs = 200;
const flushAt = 100;
const mostInOneInsert = 1_000;
const retryEveryMs = 1_000;
/** About 10 MB: what is kept while the database is away. */
export const mostWaiting = 20_000;
const timeoutMs = 5_000;

const columns = 'at, caller_kind, owner_id, principal_id, key_id, address, edge, action, object, result, request_id';
const insert = `INSERT INTO audit_entry (${columns}) SELECT ${columns} FROM jsonb_to_recordset($1::jsonb) AS entry(at timestamptz, caller_kind text, owner_id text,
  principal_id text, key_id uuid, address text, edge text, action text, object text, result text, request_id text)`;

/**
 * Who did what, and when: written in batches, off the way of the request. While the database is away, entries wait; what there is no room for is
 * counted, and the log then says itself how many are missing (`audit_gap`). A batch whose answer was lost is written again: rather twice than never.
 */
@Injectable()
export class AuditLog implements OnApplicationShutdown {
  readonly #logger = new Logger(AuditLog.name);
  readonly #pool: pg.Pool;
  readonly #waiting: AuditRow[] = [];
  #missing = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #isAway = false;
  /** What an address was refused within the last second. */
  readonly #justRefused = new LRUCache<string, true>({ max: 10_000, ttl: 1_000 });

  constructor(@Inject(DATABASE_URL) url: string) {
    // A connection of its own: writing goes on when the pool of the requests is used up, and until the very end of the process.
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 1,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      keepAlive: true,
      application_name: 'openfactory-audit',
    });
    this.#pool.on('error', () => undefined);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
    if (this.#waiting.length)
      this.#logger.error(
        `${this.#waiting.length + this.#missing} entries of the audit log are lost: the database was away to the end.`,
      );
    await this.#pool.end().catch(() => undefined);
  }

  /** Never fails and never waits. Of calls that come too often, one for an address and second: the log must not grow as fast as somebody can ask. */
  record(event: AuditEvent): void {
    if (event.result === 'rate_limited' && this.#isRepeated(`calls ${event.address}`)) return;
    if (this.#waiting.length >= mostWaiting) {
      this.#missing++;
      return;
    }
    this.#waiting.push(auditRow(event, new Date()));
    if (this.#waiting.length >= flushAt && !this.#isAway) void this.flush();
    else this.#flushIn(flushEveryMs);
  }

  /** Somebody came with credentials that are not valid: once for an address and second, because whoever guesses does it by the thousand. */
  recordRefusedCredentials({ address, edge, reason, requestId }: RefusedCredentials): void {
    if (this.#isRepeated(`credentials ${address}`)) return;
    this.record({ address, edge, action: 'authenticate', result: reason, requestId });
  }

  /** @returns once everything that was recorded is written, or the database did not take it */
  async flush(): Promise<void> {
    await (this.#flushing ??= this.#writeAll().finally(() => (this.#flushing = undefined)));
  }

  #isRepeated(what: string): boolean {
    if (this.#justRefused.has(what)) return true;
    this.#justRefused.set(what, true);
    return false;
  }

  #flushIn(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, ms).unref();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length || this.#missing) {
      const batch = this.#waiting.slice(0, mostInOneInsert);
      const missing = this.#missing;
      try {
        await this.#pool.query(insert, [JSON.stringify(missing ? [...batch, gap(missing)] : batch)]);
        this.#isAway = false;
        this.#waiting.splice(0, batch.length);
        this.#missing -= missing;
      } catch (error) {
        this.#failed(batch.length, error);
        return;
      }
    }
  }

  #failed(count: number, error: unknown): void {
    if (isRefusedForGood(error)) {
      this.#waiting.splice(0, count);
      this.#missing += count;
      this.#logger.error(`${count} entries of the audit log were not taken by the database: ${errorMessage(error)}`);
    } else if (!this.#isAway) {
      this.#logger.warn(`The audit log cannot be written, its entries wait: ${errorMessage(error)}`);
    }
    this.#isAway = true;
    this.#flushIn(retryEveryMs);
  }
}

/** Classes 22 and 23 of SQLSTATE, data and constraints: what is refused for these would be refused for ever, and hold everything else up. */
const isRefusedForGood = (error: unknown) => /^2[23]/.test((error as { code?: string }).code ?? '');

const gap = (count: number): AuditRow =>
  auditRow({ action: 'audit_gap', object: String(count), result: 'dropped' }, new Date());
