import { createHash } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, chown, lstat, mkdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { AppError } from '../errors/app-error.js';
import { hostTimeout } from '../host-time/host-time.js';
import {
  asLines,
  askProgram,
  ProgramError,
  runProgram,
  serviceAccountName,
  spawnProgram,
  type Account,
} from '../process/index.js';
import { installPostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';

export interface EmbeddedPostgresOptions {
  dataDir: string;
  /** As root: the unprivileged account the server runs under. */
  account?: Account;
  /** Further `-c name=value` settings. */
  parameters?: Record<string, string>;
}

const databaseUser = 'openfactory';
const leastFreeBytes = 256 * 1024 * 1024;
/** Of host time, since it last said that it is on its way. */
const readyWithinMs = 30_000;
/** A server that was killed reads back its log first, and says so (errcodes, cannot_connect_now). */
const startingUp = '57P03';
const recoveredWithinMs = 60 * 60_000;
/** For a predecessor to shut down. */
const goesWithinMs = 5_000;

/**
 * A real PostgreSQL server on a private unix socket: no TCP, no password (peer authentication), under an unprivileged account.
 * It dies with the factory, whatever kills that: PR_SET_PDEATHSIG sends it a fast shutdown.
 * Measurements and traps: docs/adr/0003-embedded-postgresql.md.
 */
export class EmbeddedPostgres {
  readonly clusterDir: string;
  readonly socketDir: string;
  private server: ChildProcess | undefined;
  private readonly lastLines: string[] = [];

  constructor(private readonly options: EmbeddedPostgresOptions) {
    this.clusterDir = path.join(options.dataDir, 'database');
    this.socketDir = privateSocketDir(options.dataDir);
  }

  /** Connection URL of one database of this server. */
  url(database = 'openfactory'): string {
    return `postgres://${databaseUser}@/${database}?host=${encodeURIComponent(this.socketDir)}`;
  }

  /** Starts the server, making the cluster first where there is none. @throws AppError with what to do about it */
  async start(): Promise<void> {
    await checkFreeSpace(this.options.dataDir);
    await this.checkTraversable();
    const binaries = await installPostgresBinaries(this.options.dataDir);
    await this.initialise(binaries);
    await this.checkMajorVersion(binaries);
    await this.waitForPredecessor();
    try {
      await this.makeSocketDir();
      this.spawnServer(binaries);
      await this.untilReady();
      await this.ensureDatabase();
    } catch (error) {
      await this.stop();
      await rm(this.socketDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Whether some server already runs on this cluster (another factory, or `openfactory up` while a backup is taken). */
  async isRunning(): Promise<boolean> {
    return (await this.runningPid()) !== undefined;
  }

  /** Fast shutdown (SIGINT); an immediate one after 6 s, from which the next start recovers. */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    const timer = setTimeout(() => server.kill('SIGQUIT'), 6_000);
    await ended;
    clearTimeout(timer);
    await rm(this.socketDir, { recursive: true, force: true });
  }

  /** The server's process, for tests that kill it. */
  get pid(): number | undefined {
    return this.server?.pid;
  }

  /** Called when the server ends although nobody stopped it. */
  onUnexpectedExit: (lastLines: string) => void = () => undefined;

  private async initialise({ dir }: PostgresBinaries): Promise<void> {
    if (existsSync(path.join(this.clusterDir, 'PG_VERSION'))) return;
    const partial = `${this.clusterDir}.partial`;
    await rm(partial, { recursive: true, force: true });
    await this.makeOwnDir(partial);
    try {
      await runProgram(
        path.join(dir, 'bin/initdb'),
        [
          '-D',
          partial,
          '-U',
          databaseUser,
          '--auth-local=peer',
          '--auth-host=reject',
          '--locale-provider=builtin',
          '--locale=C.UTF-8',
          '--encoding=UTF8',
          '--no-instructions',
        ],
        { deadlineMs: 120_000, account: this.options.account, cwd: partial },
      );
    } catch (error) {
      throw this.cannotStart('could not be initialised', error);
    }
    await appendFile(path.join(partial, 'pg_ident.conf'), `${peerMap(this.options.account).join('\n')}\n`);
    await appendFile(
      path.join(partial, 'pg_hba.conf.new'),
      `local all ${databaseUser} peer map=of\nlocal replication ${databaseUser} peer map=of\n`,
      { mode: 0o600 },
    );
    if (this.options.account)
      await chown(path.join(partial, 'pg_hba.conf.new'), this.options.account.uid, this.options.account.gid);
    await rename(path.join(partial, 'pg_hba.conf.new'), path.join(partial, 'pg_hba.conf'));
    await rm(this.clusterDir, { recursive: true, force: true });
    await rename(partial, this.clusterDir);
  }

  private async checkMajorVersion({ major }: PostgresBinaries): Promise<void> {
    const found = Number((await readFile(path.join(this.clusterDir, 'PG_VERSION'), 'utf8')).trim());
    if (found === major) return;
    throw new AppError({
      kind: 'conflict',
      reason: 'database_major_version',
      message: `The data directory holds a PostgreSQL ${found} database, but this OpenFactory brings PostgreSQL ${major}.`,
      hint: `Start the OpenFactory version that made it, or move ${this.clusterDir} away and restore a backup taken by a version with PostgreSQL ${major}.`,
    });
  }

  /** A closed parent shows itself in many obscure ways later on (a library that is not found, for one). */
  private async checkTraversable(): Promise<void> {
    const { account, dataDir } = this.options;
    if (!account) return;
    const { code } = await askProgram('test', ['-x', dataDir], { account, okCodes: [0, 1] });
    if (code === 0) return;
    throw new AppError({
      kind: 'unavailable',
      reason: 'data_directory_closed',
      message: `The data directory ${dataDir} cannot be reached by the account that the database runs under.`,
      hint: 'Every directory above it must be traversable (chmod o+x), or choose another with OPENFACTORY_DATA_DIR.',
    });
  }

  /** A server of a factory that was just killed may need a moment to shut down; one that stays belongs to a living factory. */
  private async waitForPredecessor(): Promise<void> {
    const patience = hostTimeout(goesWithinMs);
    try {
      while (!patience.signal.aborted) {
        if ((await this.runningPid()) === undefined) return;
        await sleep(100);
      }
    } finally {
      patience.stop();
    }
    throw new AppError({
      kind: 'conflict',
      reason: 'data_directory_in_use',
      message: `Another OpenFactory is running on ${this.options.dataDir}.`,
      hint: 'Stop it, or give this one a directory of its own with OPENFACTORY_DATA_DIR.',
    });
  }

  private async runningPid(): Promise<number | undefined> {
    const pidFile = await readFile(path.join(this.clusterDir, 'postmaster.pid'), 'utf8').catch(() => '');
    const pid = Number(pidFile.split('\n', 1)[0]);
    if (!pid) return undefined;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return commandLine.includes(this.clusterDir) ? pid : undefined;
  }

  private spawnServer({ dir }: PostgresBinaries): void {
    const parameters = {
      listen_addresses: '',
      unix_socket_directories: this.socketDir,
      max_connections: '200',
      ...this.options.parameters,
    };
    const args = [
      '-D',
      this.clusterDir,
      ...Object.entries(parameters).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
    const server = spawnProgram(path.join(dir, 'bin/postgres'), args, {
      account: this.options.account,
      cwd: this.clusterDir,
      deathSignal: 'INT',
    });
    this.server = server;
    const keep = (line: string) => {
      this.lastLines.push(line);
      this.lastLines.splice(0, this.lastLines.length - 30);
    };
    server.stdin?.end();
    server.stdout?.on('data', asLines(keep));
    server.stderr?.on('data', asLines(keep));
    server.on('error', (error) => keep(error.message));
    server.on('exit', () => {
      if (this.server === server) this.onUnexpectedExit(this.lastLines.slice(-5).join(' | '));
    });
  }

  private async untilReady(): Promise<void> {
    let patience = hostTimeout(readyWithinMs);
    const began = performance.now();
    let last: unknown;
    while (!patience.signal.aborted) {
      if (!this.server || this.server.exitCode !== null || this.server.signalCode !== null) {
        patience.stop();
        throw this.cannotStart('ended at once');
      }
      const client = new pg.Client({ connectionString: this.url('postgres'), connectionTimeoutMillis: 2_000 });
      try {
        await client.connect();
        await client.end();
        patience.stop();
        return;
      } catch (error) {
        last = error;
        if ((error as { code?: string }).code === startingUp && performance.now() - began < recoveredWithinMs) {
          patience.stop();
          patience = hostTimeout(readyWithinMs);
        }
        await client.end().catch(() => undefined);
        await sleep(20);
      }
    }
    throw this.cannotStart(`was not ready within ${readyWithinMs / 1000} s`, last);
  }

  private async ensureDatabase(): Promise<void> {
    const client = new pg.Client({ connectionString: this.url('postgres') });
    await client.connect();
    try {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', ['openfactory']);
      if (!rowCount) await client.query('CREATE DATABASE openfactory');
    } finally {
      await client.end();
    }
  }

  private async makeSocketDir(): Promise<void> {
    await this.makeOwnDir(this.socketDir);
    const { uid } = await lstat(this.socketDir);
    if (uid === (this.options.account?.uid ?? process.getuid?.())) return;
    throw new AppError({
      kind: 'conflict',
      reason: 'socket_directory_taken',
      message: `${this.socketDir} belongs to somebody else.`,
      hint: 'Remove it and start again.',
    });
  }

  private async makeOwnDir(dir: string): Promise<void> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (this.options.account) await chown(dir, this.options.account.uid, this.options.account.gid);
  }

  private cannotStart(what: string, cause?: unknown): AppError {
    const words = cause instanceof ProgramError ? cause.message : this.lastLines.slice(-3).join(' | ');
    const hint = /No space left/.test(words)
      ? `Free some space on the disk of ${this.options.dataDir}.`
      : 'Set DATABASE_URL to use another PostgreSQL server, or run "openfactory doctor".';
    return new AppError({
      kind: 'unavailable',
      reason: 'embedded_postgres_failed',
      message: `The embedded PostgreSQL ${what}: ${words || 'it printed nothing'}.`,
      hint,
      cause,
    });
  }
}

/** Lines of pg_ident.conf that let the factory (root, or the account that runs it) and the server's own account in, and nobody else. */
export function peerMap(account: Account | undefined): string[] {
  return account
    ? [`of "root" ${databaseUser}`, `of "${serviceAccountName}" ${databaseUser}`]
    : [`of "${userInfo().username}" ${databaseUser}`];
}

/** Longest socket path (unix(7), sun_path) less the name that PostgreSQL gives its socket's lock file. */
const maxSocketDirBytes = 107 - '/.s.PGSQL.5432.lock'.length;

/** Below the data directory, or where that path is too long for a socket in a short directory named after it. */
function privateSocketDir(dataDir: string): string {
  const own = path.join(path.resolve(dataDir), 'run');
  if (Buffer.byteLength(own) <= maxSocketDirBytes) return own;
  const name = `openfactory-${createHash('sha256').update(path.resolve(dataDir)).digest('hex').slice(0, 12)}`;
  const uid = process.getuid?.() ?? 0;
  const runtime = `/run/user/${uid}`;
  if (uid === 0) return path.join('/run', name);
  return existsSync(runtime) ? path.join(runtime, name) : path.join('/tmp', `${name}-${uid}`);
}

async function checkFreeSpace(dataDir: string): Promise<void> {
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  if (free >= leastFreeBytes) return;
  throw new AppError({
    kind: 'unavailable',
    reason: 'disk_full',
    message: `The disk of ${dataDir} has ${Math.floor(free / 1e6)} MB free; the factory needs at least ${Math.ceil(leastFreeBytes / 1e6)} MB to start.`,
    hint: 'Free some space, or choose another disk with OPENFACTORY_DATA_DIR.',
  });
}
