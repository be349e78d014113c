// Names a directory of this run alone, for what tests cannot keep elsewhere (images/image-cache.ts), and removes those of runs that were killed.
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const prefix = 'openfactory-tests-run-';

const isGone = (pid) => {
  try {
    return !process.kill(pid, 0);
  } catch (error) {
    return error.code === 'ESRCH';
  }
};

export default async function setup() {
  const pids = (await readdir(tmpdir()))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)));
  for (const pid of pids.filter(isGone))
    await rm(path.join(tmpdir(), `${prefix}${pid}`), { recursive: true, force: true });
  process.env.TEST_RUN_DIR = path.join(tmpdir(), `${prefix}${process.pid}`);
}
