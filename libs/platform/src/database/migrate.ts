import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { AppError } from '../errors/app-error.js';

/** Any number, but the same in every process: the key of the lock that migrations are run under. */
const migrationLock = 7_203_114;

export type EntityClass = new () => object;
export type MigrationClass = NonNullable<Extract<DataSourceOptions['migrations'], unknown[]>>[number];

export function dataSourceOptions(url: string, entities: EntityClass[], migrations: MigrationClass[]) {
  return {
    type: 'postgres',
    url,
    entities,
    migrations,
    migrationsRun: false,
    synchronize: false,
    logging: false,
    applicationName: 'openfactory',
    poolSize: 10,
    // To wait for a connection of the pool counts as well: a burst of callers shall wait, not fail.
    extra: { connectionTimeoutMillis: 15_000, statement_timeout: 60_000 },
  } as const satisfies DataSourceOptions;
}

/**
 * Brings the schema up to date. TypeORM takes no lock of its own, and two starting replicas would both create the same tables;
 * the lock is held on a connection outside the pool, so it goes away with the process.
 */
export async function migrate(url: string, migrations: MigrationClass[]): Promise<number> {
  const lock = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await lock.connect();
  } catch (error) {
    throw databaseUnreachable(error);
  }
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    const source = await new DataSource({ ...dataSourceOptions(url, [], migrations), poolSize: 1 }).initialize();
    try {
      return (await source.runMigrations({ transaction: 'each' })).length;
    } finally {
      await source.destroy();
    }
  } finally {
    await lock.end();
  }
}

export function databaseUnreachable(cause: unknown): AppError {
  const code = (cause as { code?: string }).code ?? (cause as { errors?: { code?: string }[] }).errors?.[0]?.code;
  return new AppError({
    kind: 'unavailable',
    reason: 'database_unreachable',
    message: `The PostgreSQL server cannot be reached${code ? ` (${code})` : ''}.`,
    hint: 'Check that it runs and that DATABASE_URL names the right host, database, user and password.',
    cause,
  });
}
