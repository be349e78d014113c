// One PostgreSQL server for all tests of a run, with a migrated template that every test file clones.
// Jest runs this outside its own resolver, so it imports the built product (the test command builds first).
import { mkdtemp, chmod, rm } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { EmbeddedPostgres, migrate, unprivilegedAccount } from '../../dist/libs/platform/src/index.js';
import { migrations } from '../../dist/migrations/index.js';

export default async function setup() {
  if (globalThis.testPostgres) return;
  const dataDir = await mkdtemp(path.join('/tmp', 'openfactory-test-'));
  await chmod(dataDir, 0o755);
  const server = new EmbeddedPostgres({
    dataDir,
    account: await unprivilegedAccount(),
    parameters: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' },
  });
  await server.start();
  await migrate(server.url(), migrations);
  const boss = new PgBoss({ connectionString: server.url(), max: 1 });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.stop({ graceful: false, close: true });
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  await client.query('ALTER DATABASE openfactory RENAME TO openfactory_template');
  await client.end();
  process.env.TEST_POSTGRES_SOCKET_DIR = server.socketDir;
  globalThis.testPostgres = {
    server,
    stop: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
