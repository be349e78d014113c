import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { cloneDatabase, openDataSource, type TestDatabase } from '../../../../test/support/database.js';
import { anonymousCaller } from '../caller/caller.js';
import { AuditListInput } from './audit.dto.js';
import { AuditLog, mostWaiting } from './audit-log.js';
import { AuditRepository } from './audit.repository.js';

let database: TestDatabase;
let source: DataSource;
let audit: AuditLog;
let repository: AuditRepository;
const ada = anonymousCaller('192.0.2.1');
const record = (action: string, more: object = {}) =>
  audit.record({ caller: ada, address: ada.address, edge: 'rest', action, ...more });
const actions = async () =>
  (await database.query('SELECT action FROM audit_entry ORDER BY id')).map(({ action }) => action);
const count = async () => Number((await database.query('SELECT count(*) FROM audit_entry'))[0]!.count);

beforeEach(async () => {
  database = await cloneDatabase();
  source = await openDataSource(database, []);
  audit = new AuditLog(database.url);
  repository = new AuditRepository(source);
});
afterEach(async () => {
  await audit.onApplicationShutdown();
  await source.destroy();
  await database.drop();
});

describe('the audit log', () => {
  it.each([
    "UPDATE audit_entry SET action = 'x'",
    'DELETE FROM audit_entry',
    'DELETE FROM audit_entry WHERE false',
    'TRUNCATE audit_entry',
  ])('refuses to be changed: %s', async (statement) => {
    record('create');
    await audit.flush();
    await expect(database.query(statement)).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('append-only'),
    });
    await expect(database.query(`SET session_replication_role = replica; ${statement}`)).rejects.toMatchObject({
      code: '42501',
    });
    expect(await actions()).toEqual(['create']);
  });

  it('is written in batches, in order, without being waited for', async () => {
    for (let entry = 0; entry < 2_500; entry++) record(`a${entry}`);
    await audit.flush();
    expect(await actions()).toEqual(Array.from({ length: 2_500 }, (_, entry) => `a${entry}`));
    const [statements] = await database.query('SELECT count(DISTINCT xmin::text) FROM audit_entry');
    expect(Number(statements!.count)).toBeLessThanOrEqual(4);
  });

  it('writes by itself a moment later', async () => {
    record('alone');
    for (let tries = 0; (await count()) === 0 && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await actions()).toEqual(['alone']);
  });

  it('writes what waits when the factory stops', async () => {
    record('last');
    await audit.onApplicationShutdown();
    expect(await actions()).toEqual(['last']);
  });

  it('keeps what comes while the database is away, up to a bound, and says how much is missing', async () => {
    await database.query('ALTER TABLE audit_entry RENAME TO away');
    for (let entry = 0; entry < mostWaiting + 7; entry++) record('kept');
    await audit.flush();
    await database.query('ALTER TABLE away RENAME TO audit_entry');
    await audit.flush();
    expect(await count()).toBe(mostWaiting + 1);
    expect(
      await database.query("SELECT object, result, edge, caller_kind FROM audit_entry WHERE action = 'audit_gap'"),
    ).toEqual([{ object: '7', result: 'dropped', edge: null, caller_kind: null }]);
    record('after');
    await audit.flush();
    expect((await actions()).at(-1)).toBe('after');
  });

  it('is not held up by entries that the database will never take', async () => {
    await database.query("ALTER TABLE audit_entry ADD CONSTRAINT odd CHECK (action <> 'odd')");
    record('odd');
    await audit.flush();
    record('even');
    await audit.flush();
    expect(await actions()).toEqual(expect.arrayContaining(['even', 'audit_gap']));
  });

  it('has one row of an address for credentials, and for calls, that are refused within a second', async () => {
    for (let time = 0; time < 50; time++) {
      audit.recordRefusedCredentials({ address: '192.0.2.1', edge: 'rest', reason: 'invalid_api_key' });
      record('create', { result: 'rate_limited' });
    }
    audit.recordRefusedCredentials({ address: '192.0.2.2', edge: 'mcp', reason: 'invalid_api_key' });
    await audit.flush();
    // Where the machine is slow, a second may pass.
    expect(await count()).toBeLessThan(10);
    expect(await database.query('SELECT DISTINCT address, action, result FROM audit_entry ORDER BY 1, 2')).toEqual([
      { address: '192.0.2.1', action: 'authenticate', result: 'invalid_api_key' },
      { address: '192.0.2.1', action: 'create', result: 'rate_limited' },
      { address: '192.0.2.2', action: 'authenticate', result: 'invalid_api_key' },
    ]);
  });
});

describe('what is old', () => {
  const aged = (days: number) =>
    database.query(
      `INSERT INTO audit_entry (at, action, result) VALUES (now() - make_interval(days => ${days}), 'of ${days} days', 'ok')`,
    );

  it('is forgotten by one function, and by nothing else', async () => {
    for (const days of [500, 401, 399, 31, 29]) await aged(days);
    await expect(
      database.query("DELETE FROM audit_entry WHERE at < now() - interval '400 days'"),
    ).rejects.toMatchObject({ code: '42501' });
    expect(await repository.purgeExpired(400)).toBe(2);
    expect(await actions()).toEqual(['of 399 days', 'of 31 days', 'of 29 days']);
    // The permission ends with the function.
    await expect(database.query("DELETE FROM audit_entry WHERE at < now() - interval '30 days'")).rejects.toMatchObject(
      { code: '42501' },
    );
  });

  it('is not what is younger than 30 days, whatever is asked for', async () => {
    for (const days of [31, 29]) await aged(days);
    for (const statement of [
      'SELECT forget_audit_entries(1, 100)',
      "SET openfactory.forgets_audit = 'on'; DELETE FROM audit_entry",
      "SET session_replication_role = replica; SET openfactory.forgets_audit = 'on'; DELETE FROM audit_entry",
    ]) {
      await expect(database.query(statement)).rejects.toMatchObject({ code: '42501' });
    }
    await expect(
      database.query("SET openfactory.forgets_audit = 'on'; UPDATE audit_entry SET action = 'x'"),
    ).rejects.toMatchObject({ code: '42501' });
    expect(await actions()).toEqual(['of 31 days', 'of 29 days']);
  });
});

describe('reading it', () => {
  const page = (input: Partial<AuditListInput>) => repository.page(Object.assign(new AuditListInput(), input));

  it('gives the newest first, page by page, of what was asked for', async () => {
    for (let entry = 0; entry < 5; entry++)
      record('create', { object: `o${entry}`, result: entry % 2 ? 'build_quota' : 'ok' });
    record('delete');
    await audit.flush();
    const first = await page({ action: 'create', limit: 2 });
    expect(first).toMatchObject({
      entries: [{ object: 'o4', result: 'ok', at: expect.stringMatching(/Z$/) }, { object: 'o3' }],
      next: first.entries[1]!.id,
    });
    const rest = await page({ action: 'create', limit: 3, before: first.next! });
    expect(rest).toMatchObject({ entries: [{ object: 'o2' }, { object: 'o1' }, { object: 'o0' }], next: null });
    expect((await page({ result: 'build_quota' })).entries.map(({ object }) => object)).toEqual(['o3', 'o1']);
    expect(
      (
        await page({
          owner: ada.ownerId,
          principal: ada.principalId,
          address: ada.address,
          object: 'o1',
          since: '2020-01-01',
          until: '2999-01-01T00:00:00Z',
        })
      ).entries,
    ).toHaveLength(1);
    expect((await page({ until: '2020-01-01' })).entries).toEqual([]);
    expect((await page({ owner: "' OR true --" })).entries).toEqual([]);
  });

  it('gives all of it, the oldest first, over many pages, and not what comes meanwhile', async () => {
    for (let entry = 0; entry < 2_100; entry++) record(`a${entry}`);
    await audit.flush();
    const told: string[] = [];
    for await (const { action } of repository.all({})) {
      if (!told.length) {
        record('meanwhile');
        await audit.flush();
      }
      told.push(action);
    }
    expect(told).toEqual(Array.from({ length: 2_100 }, (_, entry) => `a${entry}`));
  });
});
