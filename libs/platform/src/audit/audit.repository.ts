import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { AuditEntry, AuditFilterInput, AuditListInput, AuditPage } from './audit.dto.js';

const pageSize = 1_000;
/** In one transaction. */
const mostForgotten = 10_000;
const columnOf = {
  owner: 'owner_id',
  principal: 'principal_id',
  action: 'action',
  object: 'object',
  result: 'result',
  address: 'address',
} as const;

/** Reads the audit log, and forgets what is old; only AuditLog writes it. */
@Injectable()
export class AuditRepository {
  constructor(private readonly database: DataSource) {}

  async page({ limit, before, ...filter }: AuditListInput): Promise<AuditPage> {
    const where = new Conditions(filter);
    if (before !== undefined) where.add('id < ?', before);
    const entries = await this.select(where, `ORDER BY id DESC LIMIT ${limit + 1}`);
    const shown = entries.slice(0, limit);
    return { entries: shown, next: entries.length > limit ? (shown.at(-1)?.id ?? null) : null };
  }

  /** All of them, the oldest first, page by page: whoever reads slowly holds neither a connection nor memory. What comes meanwhile is left out. */
  async *all(filter: AuditFilterInput): AsyncGenerator<AuditEntry> {
    const [newest] = await this.database.query<{ id: string | null }[]>('SELECT max(id) AS id FROM audit_entry');
    const last = newest?.id ?? '0';
    for (let after: string | undefined = '0'; after !== undefined;) {
      const where: Conditions = new Conditions(filter);
      where.add('id > ?', after);
      where.add('id <= ?', last);
      const entries: AuditEntry[] = await this.select(where, `ORDER BY id LIMIT ${pageSize}`);
      yield* entries;
      after = entries.length === pageSize ? entries.at(-1)?.id : undefined;
    }
  }

  /** Entries older than so many days, which are at least 30. @returns how many were forgotten */
  async purgeExpired(days: number): Promise<number> {
    let sum = 0;
    for (let forgotten = mostForgotten; forgotten === mostForgotten; sum += forgotten) {
      const [row] = await this.database.query<{ forgotten: string }[]>(
        'SELECT forget_audit_entries($1, $2) AS forgotten',
        [days, mostForgotten],
      );
      forgotten = Number(row?.forgotten ?? 0);
    }
    return sum;
  }

  private async select({ sql, values }: Conditions, order: string): Promise<AuditEntry[]> {
    const rows = await this.database.query<(Omit<AuditEntry, 'at'> & { at: Date })[]>(
      `SELECT id, at, caller_kind, owner_id, principal_id, key_id, address, edge, action, object, result, request_id FROM audit_entry WHERE ${sql} ${order}`,
      values,
    );
    return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
  }
}

class Conditions {
  readonly values: unknown[] = [];
  private readonly parts = ['true'];

  constructor(filter: AuditFilterInput) {
    if (filter.since !== undefined) this.add('at >= ?', new Date(filter.since));
    if (filter.until !== undefined) this.add('at < ?', new Date(filter.until));
    for (const [field, column] of Object.entries(columnOf)) {
      const value = filter[field as keyof typeof columnOf];
      if (value !== undefined) this.add(`${column} = ?`, value);
    }
  }

  /** @param condition ours, with ? for the value */
  add(condition: string, value: unknown): void {
    this.values.push(value);
    this.parts.push(condition.replace('?', `$${this.values.length}`));
  }

  get sql(): string {
    return this.parts.join(' AND ');
  }
}
