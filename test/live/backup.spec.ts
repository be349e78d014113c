import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import {
  EmbeddedPostgres,
  keepSecret,
  runProgram,
  unprivilegedAccount,
  type Account,
  embeddedPostgresVersion,
} from '#libs/platform';
import { checkManifest, newManifest } from '../../apps/cli/src/backup/manifest.js';
import { ArchiveWriter } from '../../apps/cli/src/backup/archive-writer.js';
import { restoreBackup } from '../../apps/cli/src/backup/restore-backup.js';
import { takeBackup } from '../../apps/cli/src/backup/take-backup.js';

jest.setTimeout(120_000); // Real servers and real disks, on a machine that may be busy.

const writers = 4;
const accounts = 50;
const never = new AbortController().signal;

let base: string;
let account: Account | undefined;
let server: EmbeddedPostgres;
let dataDir: string;
const servers: EmbeddedPostgres[] = [];

const query = async (target: EmbeddedPostgres, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: target.url() });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows;
  } finally {
    await client.end();
  }
};
const startOn = async (dir: string): Promise<EmbeddedPostgres> => {
  const started = new EmbeddedPostgres({ dataDir: dir, account, parameters: { fsync: 'off' } }); // No power is cut here.
  await started.start();
  servers.push(started);
  return started;
};
const place = (name: string) => path.join(base, name);

/** Writes until told to stop; every transaction keeps the balance and leaves a numbered entry without gaps. */
async function writeEntries(target: EmbeddedPostgres, writer: number, stop: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: target.url() });
  await client.connect();
  for (let n = 1; !stop.aborted; n++) {
    await client.query('BEGIN');
    await client.query('UPDATE account SET balance = balance - $1 WHERE id = $2', [n % 97, writer * 10]);
    await client.query('UPDATE account SET balance = balance + $1 WHERE id = $2', [n % 97, writer * 10 + 1 + (n % 9)]);
    await client.query('INSERT INTO entry (writer, n, running) VALUES ($1, $2, $3)', [writer, n, (n * (n + 1)) / 2]);
    await client.query('COMMIT');
    // A checkpoint in the middle: from then on only the backup label knows where the replay has to begin.
    if (writer === 0 && n % 25 === 0) await client.query('CHECKPOINT');
    // Files that come and go while the directory is read.
    if (n % 50 === 0)
      await client.query(
        `DROP TABLE IF EXISTS scratch_${writer}; CREATE TABLE scratch_${writer} AS SELECT generate_series(1, 5000)`,
      );
  }
  await client.end();
}

beforeAll(async () => {
  base = await mkdtemp('/tmp/openfactory-backup-test-');
  await chmod(base, 0o755);
  account = await unprivilegedAccount();
  dataDir = place('factory');
  await mkdir(dataDir);
  await keepSecret(dataDir);
  await mkdir(path.join(dataDir, 'artifacts'));
  await writeFile(path.join(dataDir, 'artifacts/image.iso'), 'an image');
  await writeFile(path.join(dataDir, 'artifacts/other.iso.partial'), 'half an image');
  await mkdir(path.join(dataDir, 'vms/machines/one/guest-a'), { recursive: true });
  await mkdir(path.join(dataDir, 'vms/snapshots/key'), { recursive: true });
  for (const name of ['machines/one/disk.qcow2', 'machines/one/guest-a/memory', 'snapshots/key/memory'])
    await writeFile(path.join(dataDir, 'vms', name), 'of a VM');
  await mkdir(path.join(dataDir, 'package-index'));
  await writeFile(path.join(dataDir, 'package-index/Packages'), 'remade from the mirror');
  server = await startOn(dataDir);
  await query(server, 'CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)');
  await query(server, 'CREATE TABLE entry (writer int, n int, running bigint, PRIMARY KEY (writer, n))');
  await query(server, `INSERT INTO account SELECT id, 1000 FROM generate_series(0, ${accounts - 1}) id`);
  await query(
    server,
    "CREATE TABLE ballast AS SELECT i, md5(i::text) || repeat('x', 100) AS text FROM generate_series(1, 150000) i",
  );
});

afterAll(async () => {
  for (const started of servers) await started.stop();
  await rm(base, { recursive: true, force: true });
});

describe('a backup of a running factory', () => {
  const archive = () => place('running.tar.zst');
  let before: Record<string, unknown>[];

  beforeAll(async () => {
    const stop = new AbortController();
    const writing = Array.from({ length: writers }, (_, writer) => writeEntries(server, writer, stop.signal));
    await new Promise((resolve) => setTimeout(resolve, 500));
    before = await query(server, 'SELECT writer, max(n) AS last FROM entry GROUP BY writer ORDER BY writer');
    await takeBackup(dataDir, archive(), never);
    stop.abort();
    await Promise.all(writing);
  });

  it('was taken while rows were written', async () => {
    const after = await query(server, 'SELECT writer, max(n) AS last FROM entry GROUP BY writer ORDER BY writer');
    expect(before).toHaveLength(writers);
    for (const [writer, { last }] of before.entries())
      expect(Number(after[writer]?.last)).toBeGreaterThan(Number(last));
  });

  it('is private, complete under its name, and leaves no uidIndex behind', async () => {
    expect((await stat(archive())).mode & 0o777).toBe(0o600);
    expect((await readdir(base)).filter((name) => name.includes('partial'))).toEqual([]);
    expect(await query(server, 'SELECT * FROM pg_replication_slots')).toEqual([]);
  });

  it('is one archive that plain tar reads', async () => {
    const { stdout } = await runProgram('tar', ['--zstd', '-tf', archive()], { deadlineMs: 60_000 });
    const names = stdout.split('\n');
    expect(names[0]).toBe('backup-manifest.json');
    expect(names).toEqual(
      expect.arrayContaining([
        'database/backup_label',
        'database/global/pg_control',
        'secret',
        'artifacts/image.iso',
        'vms/machines/one/disk.qcow2',
      ]),
    );
    expect(names.filter((name) => name.endsWith('memory'))).toEqual([]);
    expect(names.filter((name) => /postmaster|package-index|\.partial|^postgresql|^run\/|PGSQL/.test(name))).toEqual(
      [],
    );
  });

  it('restores every row committed before it began, consistently', async () => {
    const target = place('restored');
    await restoreBackup({ dataDir: target, file: archive(), force: false, signal: never });
    expect(await readFile(path.join(target, 'secret'), 'utf8')).toBe(
      await readFile(path.join(dataDir, 'secret'), 'utf8'),
    );
    expect((await stat(path.join(target, 'secret'))).mode & 0o777).toBe(0o600);
    expect((await stat(path.join(target, 'database'))).mode & 0o777).toBe(0o700);

    const restored = await startOn(target);
    const found = await query(
      restored,
      'SELECT writer, max(n) AS last, count(*)::int AS rows, bool_and(running = n::bigint * (n + 1) / 2) AS sums FROM entry GROUP BY writer ORDER BY writer',
    );
    for (const [writer, { last }] of before.entries()) {
      expect(Number(found[writer]?.last)).toBeGreaterThanOrEqual(Number(last));
      expect(found[writer]).toMatchObject({ rows: found[writer]?.last, sums: true });
    }
    expect(await query(restored, 'SELECT sum(balance)::int AS total FROM account')).toEqual([
      { total: accounts * 1000 },
    ]);
    expect(await query(restored, 'SELECT count(*)::int AS rows FROM ballast')).toEqual([{ rows: 150_000 }]);
    await query(restored, 'INSERT INTO entry (writer, n, running) VALUES (99, 1, 1)');
  });

  it('is refused when one byte of it has changed, or it is cut short', async () => {
    const damaged = place('damaged.tar.zst');
    const { size } = await stat(archive());
    for (const position of [5, Math.floor(size / 2), size - 1]) {
      await copyFile(archive(), damaged);
      const handle = await open(damaged, 'r+');
      const byte = Buffer.alloc(1);
      await handle.read(byte, 0, 1, position);
      await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
      await handle.close();
      await expect(
        restoreBackup({ dataDir: place('never'), file: damaged, force: false, signal: never }),
      ).rejects.toThrow('is damaged, incomplete');
    }
    await copyFile(archive(), damaged);
    const handle = await open(damaged, 'r+');
    await handle.truncate(size - 4096);
    await handle.close();
    await expect(
      restoreBackup({ dataDir: place('never'), file: damaged, force: false, signal: never }),
    ).rejects.toThrow('is damaged, incomplete');
    expect((await readdir(base)).filter((name) => name.startsWith('never'))).toEqual([]);
  });

  it('is refused where a factory runs, with and without force', async () => {
    for (const force of [false, true]) {
      await expect(restoreBackup({ dataDir, file: archive(), force, signal: never })).rejects.toThrow(
        `A factory is running on ${dataDir}.`,
      );
    }
  });

  it('moves what is there aside under force, and refuses without', async () => {
    const target = place('occupied');
    await mkdir(target);
    await writeFile(path.join(target, 'mine'), 'precious');
    await expect(restoreBackup({ dataDir: target, file: archive(), force: false, signal: never })).rejects.toThrow(
      'is not empty',
    );
    const { movedTo } = await restoreBackup({ dataDir: target, file: archive(), force: true, signal: never });
    expect(await readFile(path.join(movedTo ?? '', 'mine'), 'utf8')).toBe('precious');
    expect(await readdir(target)).toContain('database');
  });

  it('is not written over a file or into the data directory', async () => {
    await expect(takeBackup(dataDir, archive(), never)).rejects.toThrow('exists');
    await expect(takeBackup(dataDir, path.join(dataDir, 'own.tar.zst'), never)).rejects.toThrow(
      'must not lie in the data directory',
    );
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const interrupted = new AbortController();
    const taking = takeBackup(dataDir, place('interrupted.tar.zst'), interrupted.signal);
    const watch = setInterval(
      () => existsSync(place('interrupted.tar.zst.partial')) && interrupted.abort(new Error('Ctrl-C')),
      1,
    );
    await expect(taking.finally(() => clearInterval(watch))).rejects.toThrow();
    expect((await readdir(base)).filter((name) => name.startsWith('interrupted'))).toEqual([]);
    expect(await query(server, 'SELECT * FROM pg_replication_slots')).toEqual([]);
  });
});

describe('a backup of a stopped factory', () => {
  it('starts the database for its duration and restores', async () => {
    const dir = place('stopped');
    await mkdir(dir);
    const first = await startOn(dir);
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await takeBackup(dir, place('stopped.tar.zst'), never);
    expect(await first.isRunning()).toBe(false);
    await restoreBackup({
      dataDir: place('stopped-restored'),
      file: place('stopped.tar.zst'),
      force: false,
      signal: never,
    });
    expect(await query(await startOn(place('stopped-restored')), 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('says so where there is no factory', async () => {
    await expect(takeBackup(place('nowhere'), place('nothing.tar.zst'), never)).rejects.toThrow(
      'There is no factory in',
    );
  });
});

describe('an archive whose compressor is missing', () => {
  it('fails at once instead of waiting for it', async () => {
    const { PATH } = process.env;
    await mkdir(place('bin'));
    await symlink('/usr/bin/setpriv', place('bin/setpriv'));
    process.env.PATH = place('bin');
    const archive = await ArchiveWriter.create(place('compressor.tar.zst'), never);
    process.env.PATH = PATH;
    const fill = async () => {
      for (let n = 0; n < 1000; n++) await archive.addMember('zeros', Buffer.alloc(100_000));
    };
    await expect(fill()).rejects.toThrow(/zstd ended early|EPIPE/);
    await archive.discard();
    expect((await readdir(base)).filter((name) => name.startsWith('compressor'))).toEqual([]);
  });
});

describe('an archive that does not fit', () => {
  const facts = {
    openfactory_version: '0.1.0',
    postgresql_version: '18.4',
    architecture: process.arch,
    created_at: '2026-11-20T00:00:00Z',
    data_bytes: 1,
    privileged: false,
  };
  const archiveOf = async (
    name: string,
    manifest: object,
    addMore: (archive: ArchiveWriter) => Promise<void> = () => Promise.resolve(),
  ) => {
    const archive = await ArchiveWriter.create(place(name), never);
    await archive.addMember('backup-manifest.json', Buffer.from(JSON.stringify(manifest)));
    await addMore(archive);
    await archive.finish();
    return place(name);
  };
  const restore = (file: string) => restoreBackup({ dataDir: place('unfit'), file, force: false, signal: never });

  it('is refused for another PostgreSQL, processor or format', async () => {
    await expect(
      restore(await archiveOf('old.tar.zst', newManifest({ ...facts, postgresql_version: '17.2' }))),
    ).rejects.toThrow('holds a PostgreSQL 17 database, but this OpenFactory brings PostgreSQL 18');
    const host = { postgresVersion: await embeddedPostgresVersion(), architecture: 'pdp11' };
    expect(() => checkManifest(newManifest(facts), host)).toThrow(`taken on ${process.arch}`);
    await expect(restore(await archiveOf('format.tar.zst', { ...newManifest(facts), format: 9 }))).rejects.toThrow(
      'format 9',
    );
    await expect(restore(await archiveOf('empty.tar.zst', {}))).rejects.toThrow('no readable manifest');
  });

  it('is refused where the disk is too small', async () => {
    await expect(restore(await archiveOf('huge.tar.zst', newManifest({ ...facts, data_bytes: 1e18 })))).rejects.toThrow(
      'MB free',
    );
  });

  it('is refused with names or links that lead out', async () => {
    await symlink('/etc', place('link'));
    const hostile: [string, (archive: ArchiveWriter) => Promise<void>][] = [
      ['absolute', (archive) => archive.addMember('/tmp/openfactory-escaped', Buffer.from('x'))],
      ['upwards', (archive) => archive.addMember('database/../../escaped', Buffer.from('x'))],
      ['link', (archive) => archive.addFiles([`--directory=${base}`, 'link'])],
    ];
    for (const [name, add] of hostile) {
      await expect(restore(await archiveOf(`${name}.tar.zst`, newManifest(facts), add))).rejects.toThrow(
        'lead out of it',
      );
    }
    expect((await readdir(base)).filter((name) => /^unfit|escaped/.test(name))).toEqual([]);
  });
});
