import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Settings } from '#libs/platform';
import { fail, ok, type Check } from './check.js';

const name = 'data directory';

export async function probeDataDirectory({ dataDir }: Settings): Promise<Check[]> {
  const found = await stat(dataDir).catch(() => undefined);
  if (!found) return [await probePlace(dataDir)];
  if (!found.isDirectory())
    return [fail(name, `${dataDir} is no directory`, 'Remove it, or choose another place with OPENFACTORY_DATA_DIR.')];
  if (!(await isWritable(dataDir)))
    return [
      fail(
        name,
        `this account may not write to ${dataDir}`,
        'Run the factory as its owner, or choose another place with OPENFACTORY_DATA_DIR.',
      ),
    ];
  const closed = process.getuid?.() === 0 ? await closedDirectory(dataDir) : undefined;
  if (closed)
    return [
      fail(
        name,
        `other accounts cannot enter ${closed}, and the database runs under one`,
        `Run "chmod o+x ${closed}", or choose another place with OPENFACTORY_DATA_DIR.`,
      ),
    ];
  const secret = await stat(path.join(dataDir, 'secret')).catch(() => undefined);
  if (secret && (secret.mode & 0o077) !== 0)
    return [fail(name, `others can read ${dataDir}/secret`, `Run "chmod 600 ${dataDir}/secret".`)];
  return [ok(name, dataDir)];
}

async function probePlace(dataDir: string): Promise<Check> {
  let parent = path.dirname(dataDir);
  while (parent !== '/' && !(await stat(parent).catch(() => undefined))) parent = path.dirname(parent);
  if (await isWritable(parent)) return ok(name, `${dataDir} will be made at the first start`);
  return fail(
    name,
    `${dataDir} does not exist and this account may not make it`,
    'Make it and give it to this account, or choose another place with OPENFACTORY_DATA_DIR.',
  );
}

/** @returns the topmost directory on the way that is closed to other accounts */
async function closedDirectory(dataDir: string): Promise<string | undefined> {
  const parts = dataDir.split('/').filter(Boolean);
  for (let depth = 1; depth <= parts.length; depth++) {
    const dir = `/${parts.slice(0, depth).join('/')}`;
    if (((await stat(dir)).mode & 0o001) === 0) return dir;
  }
  return undefined;
}

async function isWritable(dir: string): Promise<boolean> {
  return await access(dir, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
