import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import {
  EmbeddedPostgres,
  ProgramError,
  runProgram,
  unprivilegedAccount,
  embeddedPostgresVersion,
} from '#libs/platform';
import { readManifest, unpack } from './archive-reader.js';
import { checkSeal } from './archive-seal.js';
import { checkManifest, manifestName, refusal, type BackupManifest } from './manifest.js';
import { adoptCluster } from './restored-cluster.js';

/** Left free beside the data, so that the factory can start on it. */
const reserveBytes = 512 * 1024 * 1024;

export interface RestoreOptions {
  dataDir: string;
  file: string;
  /** Replace what is there; the old data directory is kept under another name. */
  force: boolean;
  signal: AbortSignal;
}

export interface Restored {
  manifest: BackupManifest;
  /** Where the old data directory was moved to, if there was one. */
  movedTo: string | undefined;
}

/** Everything is checked and unpacked beside the data directory before that is touched; the last step is a rename. @throws AppError */
export async function restoreBackup({ dataDir, file, force, signal }: RestoreOptions): Promise<Restored> {
  if (!existsSync(file)) throw refusal(`There is no file ${file}.`, 'Name an archive that "openfactory backup" made.');
  await checkSeal(file);
  const manifest = await readManifest(file);
  checkManifest(manifest, { postgresVersion: await embeddedPostgresVersion(), architecture: process.arch });
  const account = await unprivilegedAccount();
  const occupied = await checkDataDir(dataDir, force);
  const restoring = `${dataDir}.restoring`;
  try {
    await rm(restoring, { recursive: true, force: true });
    await mkdir(path.dirname(dataDir), { recursive: true });
    await mkdir(restoring, { mode: 0o700 });
    await checkSpace(restoring, manifest);
    await unpack(file, restoring, { keepOwners: account !== undefined && manifest.privileged, signal });
    await rm(path.join(restoring, manifestName));
    await adoptCluster(path.join(restoring, 'database'), account);
    await chmod(restoring, 0o755); // Its parts guard themselves; the database's account has to get through.
    await runProgram('sync', ['--file-system', restoring], { deadlineMs: 60 * 60_000 });
    return { manifest, movedTo: await putInPlace(restoring, dataDir, occupied) };
  } catch (error) {
    await rm(restoring, { recursive: true, force: true });
    throw explain(error, dataDir);
  }
}

/** @returns whether something is there that has to be moved aside */
async function checkDataDir(dataDir: string, force: boolean): Promise<boolean> {
  if (!existsSync(dataDir)) return false;
  if (await new EmbeddedPostgres({ dataDir }).isRunning())
    throw refusal(`A factory is running on ${dataDir}.`, 'Stop it, then restore again.');
  if ((await stat(dataDir)).dev !== (await stat(path.dirname(dataDir))).dev) throw mountPoint(dataDir);
  const occupied = (await readdir(dataDir)).length > 0;
  if (occupied && !force)
    throw refusal(
      `${dataDir} is not empty.`,
      'With --force it is moved aside (never deleted) and the backup takes its place; or set OPENFACTORY_DATA_DIR to another directory.',
    );
  return occupied;
}

async function checkSpace(dir: string, { data_bytes: dataBytes }: BackupManifest): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const [free, needed] = [bavail * bsize, dataBytes + reserveBytes];
  if (free < needed)
    throw refusal(
      `The disk of ${dir} has ${megabytes(free)} MB free, the restored data needs ${megabytes(needed)} MB.`,
      'Free some space, or set OPENFACTORY_DATA_DIR to another disk.',
    );
}

async function putInPlace(restoring: string, dataDir: string, occupied: boolean): Promise<string | undefined> {
  const movedTo = occupied
    ? `${dataDir}.before-restore-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`
    : undefined;
  if (movedTo) await rename(dataDir, movedTo);
  try {
    await rename(restoring, dataDir);
  } catch (error) {
    if (movedTo) await rename(movedTo, dataDir);
    throw error;
  }
  return movedTo;
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);
const mountPoint = (dataDir: string) =>
  refusal(
    `${dataDir} is a mount point, so nothing can be moved into its place.`,
    'Set OPENFACTORY_DATA_DIR to a directory below it, then restore again.',
  );

function explain(error: unknown, dataDir: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EBUSY' || code === 'EXDEV') return mountPoint(dataDir);
  if (code === 'ENOTEMPTY')
    return refusal(
      `Something was written to ${dataDir} meanwhile.`,
      'Make sure that no factory starts on it, then restore again.',
    );
  if (code === 'ENOSPC' || (error instanceof ProgramError && /No space left/.test(error.message)))
    return refusal(`The disk of ${dataDir} is full.`, 'Free some space, then restore again; nothing was touched.');
  if (code === 'EACCES' || code === 'EPERM')
    return refusal(
      `This account may not write there (${(error as Error).message}).`,
      'Run the restore as the account the factory runs as.',
    );
  if (error instanceof ProgramError)
    return refusal(
      `The archive could not be unpacked: ${error.message}.`,
      'Nothing was touched; run "openfactory doctor".',
    );
  return error;
}
