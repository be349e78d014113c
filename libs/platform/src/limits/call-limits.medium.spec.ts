import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cloneDatabase, type TestDatabase } from '../../../../test/support/database.js';
import { anonymousCaller } from '../caller/caller.js';
import { loadSettings } from '../config/settings.js';
import { CallLimits } from './call-limits.js';

let database: TestDatabase;
let replicas: CallLimits[];
const ada = anonymousCaller('192.0.2.1');
const mostFailures = 30;
const calls = async (which: number, count: number) => {
  const reasons: (string | undefined)[] = [];
  for (let call = 0; call < count; call++) reasons.push((await replicas[which]!.countCall(ada))?.reason);
  return reasons;
};

beforeEach(async () => {
  database = await cloneDatabase();
  const { settings } = loadSettings({
    HOME: '/home/ada',
    OPENFACTORY_LIMITS_STORE: 'postgres',
    OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '4',
  });
  replicas = [0, 1].map(() => new CallLimits(settings, database.url));
});
afterEach(async () => {
  for (const replica of replicas) await replica.onApplicationShutdown();
  await database.drop();
});

describe('limits that replicas share', () => {
  it('count what each of them takes', async () => {
    expect(await calls(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(await calls(1, 2)).toEqual([undefined, 'rate_limited']);
    expect(await calls(0, 1)).toEqual(['rate_limited']);
  });

  it('cost no query where a flood is refused', async () => {
    await calls(0, 6);
    await database.query('DROP TABLE rate_limit');
    expect(await calls(0, 20)).toEqual(Array.from({ length: 20 }, () => 'rate_limited'));
  });

  it('are each replica’s own while the database is away', async () => {
    await database.query('ALTER TABLE rate_limit RENAME TO away');
    expect(await calls(0, 5)).toEqual([undefined, undefined, undefined, undefined, 'rate_limited']);
  });

  it('of guesses hold in both, and their rows are forgotten', async () => {
    for (let failure = 0; failure < mostFailures; failure++) await replicas[failure % 2]!.countFailure('192.0.2.1');
    await replicas[0]!.countFailure('192.0.2.1');
    for (const replica of replicas)
      expect(() => replica.refuseGuesser('192.0.2.1')).toThrow(expect.objectContaining({ reason: 'rate_limited' }));
    await database.query('UPDATE rate_limit SET expire = 1');
    await replicas[0]!.purgeExpired();
    expect(await database.query('SELECT * FROM rate_limit')).toEqual([]);
  });
});
