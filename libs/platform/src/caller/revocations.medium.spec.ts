import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { cloneDatabase, openDataSource, type TestDatabase } from '../../../../test/support/database.js';
import { EventBus } from '../events/event-bus.js';
import { Revocations } from './revocations.js';

let database: TestDatabase;
let source: DataSource;
const running: { stop: () => Promise<void> }[] = [];

beforeAll(async () => {
  database = await cloneDatabase();
  source = await openDataSource(database, []);
});
afterEach(async () => {
  for (const { stop } of running.splice(0)) await stop();
});
afterAll(async () => {
  await source?.destroy();
  await database?.drop();
});

/** What one process has. Without LISTEN its bus is never connected, so only the poll is left. */
async function startProcess({ listens }: { listens: boolean }) {
  const events = new EventBus(database.url);
  if (listens) await events.onModuleInit();
  const revocations = new Revocations(database.url, events);
  const heard: string[] = [];
  await revocations.onModuleInit();
  revocations.onRevoked((subject) => heard.push(subject));
  running.push({
    stop: async () => {
      await revocations.onApplicationShutdown();
      await events.onApplicationShutdown();
    },
  });
  return { revocations, heard };
}
type Process = Awaited<ReturnType<typeof startProcess>>;

const revoke = ({ revocations }: Process, ...subjects: string[]) =>
  source.transaction((manager) => revocations.revoke(manager, subjects));
const until = async (condition: () => boolean, withinMs = 20_000) => {
  for (const deadline = Date.now() + withinMs; !condition(); await sleep(10))
    if (Date.now() > deadline) throw new Error('It did not come.');
};
/** Until every process has certainly polled again. */
const polledTwice = () => sleep(2_000);

describe('a revocation', () => {
  it('is told once in every process that listens', async () => {
    const [here, there] = [await startProcess({ listens: true }), await startProcess({ listens: true })];
    await revoke(here, 'key:a', 'user:a');
    await until(() => here.heard.length >= 2 && there.heard.length >= 2);
    await polledTwice();
    expect([here.heard, there.heard]).toEqual([
      ['key:a', 'user:a'],
      ['key:a', 'user:a'],
    ]);
    const was = (checkedAt: number, ...revocationSubjects: string[]) =>
      there.revocations.wasRevokedSince({ revocationSubjects, checkedAt });
    expect([was(0, 'key:x', 'user:a'), was(0, 'key:x'), was(there.revocations.count, 'user:a')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('is told by NOTIFY alone, without a poll', async () => {
    const [here, unpolled] = [await startProcess({ listens: true }), await startProcess({ listens: true })];
    // It ends the poll; what is told by NOTIFY is still heard.
    await unpolled.revocations.onApplicationShutdown();
    await revoke(here, 'key:n');
    await until(() => unpolled.heard.includes('key:n'));
  });

  it('is told once where LISTEN is cut, by the poll', async () => {
    const [here, deaf] = [await startProcess({ listens: true }), await startProcess({ listens: false })];
    const countBefore = deaf.revocations.count;
    await revoke(here, 'key:b');
    await until(() => deaf.heard.includes('key:b'));
    await polledTwice();
    expect(deaf.heard).toEqual(['key:b']);
    expect(deaf.revocations.count).toBe(countBefore + 1);
  });

  it('of the same subject a second time is told a second time', async () => {
    const here = await startProcess({ listens: true });
    await revoke(here, 'user:again');
    await until(() => here.heard.length === 1);
    await revoke(here, 'user:again');
    await until(() => here.heard.length === 2);
  });

  it('is not told if it does not commit', async () => {
    const here = await startProcess({ listens: true });
    const failed = source.transaction(async (manager) => {
      await here.revocations.revoke(manager, ['key:never']);
      throw new Error('rolled back');
    });
    await expect(failed).rejects.toThrow('rolled back');
    await polledTwice();
    expect(here.heard).toEqual([]);
  });

  it('that was written first and committed last is not missed', async () => {
    const deaf = await startProcess({ listens: false });
    await source.transaction(async (slow: EntityManager) => {
      await deaf.revocations.revoke(slow, ['key:slow']);
      await revoke(deaf, 'key:quick');
      await until(() => deaf.heard.includes('key:quick'));
      expect(deaf.heard).not.toContain('key:slow');
    });
    await until(() => deaf.heard.includes('key:slow'));
  });

  it('goes on being told though a listener breaks', async () => {
    const here = await startProcess({ listens: true });
    here.revocations.onRevoked(() => {
      throw new Error('broken listener');
    });
    const after: string[] = [];
    here.revocations.onRevoked((subject) => after.push(subject));
    await revoke(here, 'key:c');
    await until(() => after.includes('key:c'));
  });
});

describe('what is known', () => {
  it('is current, not while the database hangs, and again afterwards; nothing of the meantime is missed', async () => {
    const deaf = await startProcess({ listens: false });
    expect(deaf.revocations.isCurrent).toBe(true);
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE revocation IN ACCESS EXCLUSIVE MODE');
      await until(() => !deaf.revocations.isCurrent);
      await holder.query("INSERT INTO revocation (subject) VALUES ('key:meantime')");
      await holder.query('COMMIT');
      await until(() => deaf.revocations.isCurrent);
      expect(deaf.heard).toContain('key:meantime');
    } finally {
      await holder.end();
    }
  });

  it('is not current before anything was read', () => {
    const revocations = new Revocations(database.url, new EventBus(database.url));
    expect(revocations.isCurrent).toBe(false);
  });

  it('leaves no connections behind while a table is locked', async () => {
    await startProcess({ listens: false });
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE revocation IN ACCESS EXCLUSIVE MODE');
      await sleep(5_000);
      const [row] = await database.query(
        "SELECT count(*)::int AS polls FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'openfactory-revocations'",
      );
      expect(row?.polls).toBeLessThanOrEqual(2);
    } finally {
      await holder.end();
    }
  });

  it('is forgotten in the table after an hour', async () => {
    const here = await startProcess({ listens: false });
    await database.query("INSERT INTO revocation (subject, at) VALUES ('key:old', now() - interval '61 minutes')");
    await here.revocations.purgeExpired(source.manager);
    expect(await database.query("SELECT FROM revocation WHERE subject = 'key:old'")).toEqual([]);
  });
});
