import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import type { ArchiveWriter } from './archive-writer.js';

/** What PostgreSQL's manual says to leave out ("Making a Base Backup Using the Low Level API"); the server makes all of it anew. */
const excluded = [
  'database/postmaster.pid',
  'database/postmaster.opts',
  ...[
    'pg_wal',
    'pg_replslot',
    'pg_dynshmem',
    'pg_notify',
    'pg_serial',
    'pg_snapshots',
    'pg_stat_tmp',
    'pg_subtrans',
  ].map((dir) => `database/${dir}/*`),
  'database/global/pg_control',
  'database/backup_label',
  'database/tablespace_map',
];

/**
 * An online copy of a cluster that a server is running on. The files are copied while they change; the server mends them at its first
 * start by replaying the write-ahead log from the start of the backup, which the slot keeps from being recycled.
 */
export async function copyCluster(client: Client, dataDir: string, archive: ArchiveWriter): Promise<void> {
  const name = `openfactory_backup_${randomBytes(6).toString('hex')}`;
  await client.query('SELECT pg_create_physical_replication_slot($1, true, true)', [name]);
  await client.query('SELECT pg_backup_start($1, fast => true)', [name]);
  await archive.addFiles([
    '--anchored',
    '--wildcards',
    ...excluded.map((pattern) => `--exclude=${pattern}`),
    '--no-anchored',
    '--exclude=pgsql_tmp*',
    `--directory=${dataDir}`,
    'database',
  ]);
  await archive.addMember(
    'database/global/pg_control',
    await readWhole(path.join(dataDir, 'database/global/pg_control')),
  );

  const { rows } = await client.query<{ last: string; label: string; tablespaces: string }>(
    'SELECT pg_walfile_name(lsn) AS last, labelfile AS label, spcmapfile AS tablespaces FROM pg_backup_stop(wait_for_archive => false)',
  );
  const [stopped] = rows;
  const first = /^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$/m.exec(stopped?.label ?? '')?.[1];
  if (!stopped || !first) throw new Error('pg_backup_stop gave no backup label');
  await archive.addMember('database/backup_label', Buffer.from(stopped.label));
  if (stopped.tablespaces) await archive.addMember('database/tablespace_map', Buffer.from(stopped.tablespaces));
  await archive.addFiles([`--directory=${dataDir}`, ...(await segmentsBetween(dataDir, first, stopped.last))]);
}

/** The names of segments of one timeline sort as their contents do. */
async function segmentsBetween(dataDir: string, first: string, last: string): Promise<string[]> {
  const names = (await readdir(path.join(dataDir, 'database/pg_wal')))
    .filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= first && name <= last)
    .sort();
  if (names[0] !== first || names.at(-1) !== last)
    throw new Error(`the write-ahead log from ${first} to ${last} is incomplete`);
  return names.map((name) => `database/pg_wal/${name}`);
}

/** The server rewrites this file in place: two equal readings in a row hold no half-written one. */
async function readWhole(file: string): Promise<Buffer> {
  let before = await readFile(file);
  for (let attempt = 0; attempt < 100; attempt++) {
    const now = await readFile(file);
    if (now.equals(before)) return now;
    before = now;
  }
  throw new Error(`${file} does not stop changing`);
}
