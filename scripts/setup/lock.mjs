import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Two setups at once (say `npm run up` and `npm test`) would build into the same directory. The second waits for the first;
 * a lock whose process is gone counts for nothing.
 */
export async function withLock(root, report, work) {
  const file = path.join(root, '.setup/lock');
  mkdirSync(path.dirname(file), { recursive: true });
  for (let told = false; !take(file); ) {
    if (!isAlive(file)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) report('Waiting for another setup of this checkout to end');
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

function isAlive(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return pid > 0 && pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('scripts/');
  } catch {
    return false;
  }
}
