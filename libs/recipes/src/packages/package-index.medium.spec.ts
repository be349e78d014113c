import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { AppError, EventBus, type QueueService, type Settings } from '#libs/platform';
import { cloneDatabase, openDataSource, type TestDatabase } from '../../../../test/support/database.js';
import { packageRecord } from '../testing/fake-package-index.js';
import { packageIndexContract } from '../testing/package-index.contract.js';
import { catalogue } from '../testing/recipe.factory.js';
import { PackageIndexRefreshService } from './package-index-refresh.service.js';
import { PackageIndexEntity, PackageIndexStateEntity } from './package-index.entity.js';
import { PostgresPackageIndex } from './package-index.repository.js';
import { PackageSource, type FetchedIndex, type PackageRecord } from './package-source.port.js';

let testDatabase: TestDatabase;
let database: DataSource;
let events: EventBus;
let index: PostgresPackageIndex;

beforeAll(async () => {
  testDatabase = await cloneDatabase();
  database = await openDataSource(testDatabase, [PackageIndexEntity, PackageIndexStateEntity]);
  events = new EventBus(testDatabase.url);
  await events.onModuleInit();
  index = new PostgresPackageIndex(database, events);
  index.onModuleInit();
});

afterAll(async () => {
  await events?.onApplicationShutdown();
  await database?.destroy();
  await testDatabase?.drop();
});

beforeEach(async () => {
  await database.query('TRUNCATE package_index, package_index_state');
});

const load = async (base: string, packages: PackageRecord[]) =>
  await index.replace(base, { architecture: 'amd64', packages });

describe('PostgresPackageIndex', () => {
  packageIndexContract(async (packages) => {
    await load('one', packages);
    return index;
  });

  it('replaces a base whole, and only that base', async () => {
    await load('one', [packageRecord('old'), packageRecord('kept')]);
    await load('two', [packageRecord('other')]);
    await load('one', [packageRecord('kept', { version: '2', versions: ['2'] })]);
    expect((await index.lookup('one', ['old', 'kept'])).missing).toEqual(['old']);
    expect(await index.state('one')).toMatchObject({ packageCount: 1 });
    expect((await index.lookup('two', ['other'])).missing).toEqual([]);
  });

  it('keeps the old rows where the new ones cannot be written', async () => {
    await load('one', [packageRecord('old')]);
    const broken = [...Array.from({ length: 3_000 }, (_, at) => packageRecord(`p${at}`)), packageRecord('p1')];
    await expect(load('one', broken)).rejects.toThrow(/duplicate key/);
    expect((await index.lookup('one', ['old', 'p1'])).missing).toEqual(['p1']);
    expect(await index.state('one')).toMatchObject({ packageCount: 1 });
  });

  it('takes 65,000 packages', async () => {
    const packages = Array.from({ length: 65_000 }, (_, at) =>
      packageRecord(`package-${at}`, { depends: at ? [`package-${at - 1}`] : [] }),
    );
    await load('one', packages);
    expect((await index.closure('one', ['package-500'])).names).toHaveLength(501);
  }, 60_000);

  it('tells other processes, which then forget the names they know', async () => {
    const otherEvents = new EventBus(testDatabase.url);
    await otherEvents.onModuleInit();
    try {
      const other = new PostgresPackageIndex(database, otherEvents);
      other.onModuleInit();
      await load('one', [packageRecord('alpha')]);
      expect((await other.nearest('one', ['alphb'])).get('alphb')).toEqual(['alpha']);
      const told = new Promise<string>((resolve) =>
        otherEvents.subscribe('package-index.refreshed', { onEvent: resolve }),
      );
      await load('one', [packageRecord('bravo')]);
      expect(await told).toBe('one');
      expect((await other.nearest('one', ['bravp'])).get('bravp')).toEqual(['bravo']);
    } finally {
      await otherEvents.onApplicationShutdown();
    }
  });
});

describe('PackageIndexRefreshService', () => {
  class FakeSource extends PackageSource {
    fetched: string[] = [];
    failing = new Set<string>();
    fetch({ id }: { id: string }): Promise<FetchedIndex> {
      this.fetched.push(id);
      if (this.failing.has(id))
        return Promise.reject(
          new AppError({
            kind: 'unavailable',
            reason: 'package_index_unavailable',
            message: 'No mirror.',
            hint: 'Set it.',
          }),
        );
      return Promise.resolve({ architecture: 'amd64', packages: [packageRecord(`of-${id}`)] });
    }
  }
  const serviceWith = (source: FakeSource, sent: string[] = []) => {
    const queue = { send: (name: string) => Promise.resolve(void sent.push(name)) } as unknown as QueueService;
    return new PackageIndexRefreshService(catalogue, source, index, queue, { packageIndexRefreshHours: 6 } as Settings);
  };
  const signal = new AbortController().signal;

  it('fetches what is missing or too old, and nothing else', async () => {
    const source = new FakeSource();
    const service = serviceWith(source);
    await service.refresh({}, signal);
    expect(source.fetched).toEqual(['debian-bookworm', 'debian-trixie']);
    await service.refresh({}, signal);
    expect(source.fetched).toHaveLength(2);
    await database.query(
      "UPDATE package_index_state SET refreshed_at = now() - interval '7 hours' WHERE base = 'debian-trixie'",
    );
    await service.refresh({}, signal);
    expect(source.fetched).toEqual(['debian-bookworm', 'debian-trixie', 'debian-trixie']);
  });

  it('keeps the old index where a refresh fails, and goes on with the other base', async () => {
    const source = new FakeSource();
    const service = serviceWith(source);
    await service.refresh({}, signal);
    await database.query("UPDATE package_index_state SET refreshed_at = now() - interval '7 hours'");
    source.failing.add('debian-bookworm');
    await expect(service.refresh({}, signal)).rejects.toThrow('debian-bookworm');
    expect((await index.lookup('debian-bookworm', ['of-debian-bookworm'])).missing).toEqual([]);
    expect((await index.state('debian-trixie')).refreshedAt?.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('is queued at the start only where something is to be fetched', async () => {
    const sent: string[] = [];
    const service = serviceWith(new FakeSource(), sent);
    await service.onApplicationBootstrap();
    expect(sent).toEqual(['package-index.refresh']);
    await service.refresh({}, signal);
    await service.onApplicationBootstrap();
    expect(sent).toHaveLength(1);
  });
});
