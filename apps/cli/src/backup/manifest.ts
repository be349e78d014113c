import { AppError } from '#libs/platform';

export const manifestName = 'backup-manifest.json';
const formatVersion = 1;

/** The first member of an archive: what is needed to judge the rest without unpacking it. */
export interface BackupManifest {
  format: number;
  openfactory_version: string;
  postgresql_version: string;
  /** The files of a cluster only fit servers for the same processor. */
  architecture: string;
  created_at: string;
  /** Disk space the data took when it was saved. */
  data_bytes: number;
  /** Whether the factory ran as root and its database under an account of its own. */
  privileged: boolean;
}

export function newManifest(facts: Omit<BackupManifest, 'format'>): BackupManifest {
  return { format: formatVersion, ...facts };
}

const major = (version: string) => Number.parseInt(version, 10);

/** @throws AppError where this installation cannot restore the backup */
export function checkManifest(
  manifest: BackupManifest,
  host: { postgresVersion: string | undefined; architecture: string },
): void {
  if (manifest.format !== formatVersion) {
    throw refusal(
      `The backup has format ${manifest.format}, this OpenFactory reads format ${formatVersion}.`,
      `Restore it with OpenFactory ${manifest.openfactory_version}.`,
    );
  }
  if (manifest.architecture !== host.architecture) {
    throw refusal(
      `The backup was taken on ${manifest.architecture}, this machine is ${host.architecture}.`,
      `Restore it on a ${manifest.architecture} machine.`,
    );
  }
  const [wanted, here] = [
    major(manifest.postgresql_version),
    host.postgresVersion === undefined ? undefined : major(host.postgresVersion),
  ];
  if (here === undefined)
    throw refusal('The embedded PostgreSQL is not installed for this machine.', 'Run "npm run setup".');
  if (wanted !== here) {
    throw refusal(
      `The backup holds a PostgreSQL ${wanted} database, but this OpenFactory brings PostgreSQL ${here}.`,
      `Restore it with OpenFactory ${manifest.openfactory_version}, start that, and copy the database to this version with pg_dump and pg_restore of PostgreSQL ${here}.`,
    );
  }
}

/** @throws AppError where the text is not a manifest */
export function parseManifest(text: string): BackupManifest {
  try {
    const manifest = JSON.parse(text) as BackupManifest;
    const texts = [
      manifest.openfactory_version,
      manifest.postgresql_version,
      manifest.architecture,
      manifest.created_at,
    ];
    if (
      Number.isInteger(manifest.format) &&
      Number.isFinite(manifest.data_bytes) &&
      texts.every((value) => typeof value === 'string')
    )
      return manifest;
  } catch {
    // Falls through to the refusal.
  }
  throw refusal('The archive has no readable manifest.', 'Choose an archive that "openfactory backup" made.');
}

export function refusal(message: string, hint: string): AppError {
  return new AppError({ kind: 'conflict', reason: 'backup_refused', message, hint });
}
