import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import {
  AppError,
  EmbeddedPostgres,
  ProgramError,
  productVersion,
  runProgram,
  unprivilegedAccount,
} from '#libs/platform';
import { ArchiveWriter } from './archive-writer.js';
import { copyCluster } from './cluster-copy.js';
import { manifestName, newManifest, refusal } from './manifest.js';

/** Not saved: the cluster has its own way; programs, indices and sockets are made again, and a stale socket lock would stop the next start. */
const remade = ['database', 'postgresql', 'package-index', 'run', 'builds', 'boot-checks'];
/** Half-made files; and of VMs what is made again: saved states, and what a guest holds only while it runs. */
const leftOut = ['*.partial', 'vms/snapshots/*', 'vms/templates/*', 'vms/machines/*/guest-*'].map(
  (pattern) => `--exclude=${pattern}`,
);

export interface TakenBackup {
  file: string;
  sizeBytes: number;
  postgresVersion: string;
}

/**
 * Saves the embedded database and the data directory as they are at the end of the copy, while the factory runs or not.
 * @throws AppError
 */
export async function takeBackup(dataDir: string, file: string, signal: AbortSignal): Promise<TakenBackup> {
  checkPlaces(dataDir, file);
  const server = new EmbeddedPostgres({ dataDir, account: await unprivilegedAccount() });
  const startedHere = !(await server.isRunning());
  if (startedHere) await server.start();
  try {
    return await saveFrom(server, { dataDir, file, signal });
  } catch (error) {
    throw explain(error, file);
  } finally {
    if (startedHere) await server.stop();
  }
}

async function saveFrom(
  server: EmbeddedPostgres,
  { dataDir, file, signal }: { dataDir: string; file: string; signal: AbortSignal },
): Promise<TakenBackup> {
  const client = new pg.Client({ connectionString: server.url('postgres'), connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined); // A broken connection makes the next query fail, which is where it is told.
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
    const postgresVersion = rows[0]?.version ?? '';
    const archive = await ArchiveWriter.create(file, signal);
    try {
      const manifest = newManifest({
        openfactory_version: productVersion,
        postgresql_version: postgresVersion,
        architecture: process.arch,
        created_at: new Date().toISOString(),
        data_bytes: await diskUsage(dataDir),
        privileged: process.getuid?.() === 0,
      });
      await archive.addMember(manifestName, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
      await copyCluster(client, dataDir, archive);
      // After the database: a file that a row names was there before the row was.
      const names = (await readdir(dataDir)).filter((name) => !remade.includes(name) && !name.endsWith('.partial'));
      if (names.length) await archive.addFiles(['--sparse', ...leftOut, `--directory=${dataDir}`, '--', ...names]);
      return { file, sizeBytes: await archive.finish(), postgresVersion };
    } catch (error) {
      await archive.discard();
      throw error;
    }
  } finally {
    await client.end();
  }
}

function checkPlaces(dataDir: string, file: string): void {
  if (!existsSync(path.join(dataDir, 'database/PG_VERSION')))
    throw refusal(
      `There is no factory in ${dataDir}.`,
      'Set OPENFACTORY_DATA_DIR to the data directory of the factory, and run this as the account the factory runs as.',
    );
  if (!path.relative(dataDir, file).startsWith('..'))
    throw refusal('The archive must not lie in the data directory it saves.', 'Name another place with --output.');
  if (existsSync(file))
    throw refusal(`${file} exists.`, 'Name another file with --output; a backup never overwrites one.');
}

async function diskUsage(dataDir: string): Promise<number> {
  const excludes = [...remade.filter((name) => name !== 'database').map((name) => `--exclude=${name}`), ...leftOut];
  const { stdout } = await runProgram('du', ['--summarize', '--block-size=1', ...excludes, dataDir], {
    deadlineMs: 10 * 60_000,
    okCodes: [0, 1],
  });
  return Number.parseInt(stdout, 10) || 0;
}

function explain(error: unknown, file: string): unknown {
  if (error instanceof AppError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC')
    return refusal(`The disk of ${file} is full.`, 'Free some space, or name another disk with --output.');
  if (code === 'EACCES' || code === 'EPERM')
    return refusal(
      `This account may not do that (${(error as Error).message}).`,
      'Run the backup as the account the factory runs as.',
    );
  if (code === '28000')
    return refusal('The database does not let this account in.', 'Run the backup as the account the factory runs as.'); // invalid_authorization_specification
  if (code === 'EPIPE' || error instanceof ProgramError)
    return refusal(`The archive could not be written: ${(error as Error).message}.`, 'Run "openfactory doctor".');
  if (code === 'ENOENT')
    return refusal(`${path.dirname(file)} does not exist.`, 'Make it, or name another place with --output.');
  return error;
}
