import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { dataSourceOptions, type EntityClass } from '#libs/platform';

const urlOf = (database: string) =>
  `postgres://openfactory@/${database}?host=${encodeURIComponent(process.env.TEST_POSTGRES_SOCKET_DIR ?? '')}`;

export interface TestDatabase {
  url: string;
  name: string;
  /** A query on a connection of its own. */
  query(sql: string, parameters?: unknown[]): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** A database of this test file's own, cloned from the migrated template. */
export async function cloneDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: urlOf('postgres') });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await admin(`CREATE DATABASE ${name} TEMPLATE openfactory_template`);
  return {
    url: urlOf(name),
    name,
    query: async (sql, parameters) => {
      const client = new pg.Client({ connectionString: urlOf(name) });
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(sql, parameters)).rows;
      } finally {
        await client.end();
      }
    },
    drop: () => admin(`DROP DATABASE ${name} WITH (FORCE)`),
  };
}

export async function openDataSource(database: TestDatabase, entities: EntityClass[]): Promise<DataSource> {
  return await new DataSource({ ...dataSourceOptions(database.url, entities, []), poolSize: 4 }).initialize();
}
