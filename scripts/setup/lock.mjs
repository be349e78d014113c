import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Two setups at once (say `npm run up` and `npm test`) would build into the same directory. The second waits for the first;
 * a lock whose process is gone counts for nothing.
 */
export async function withLock(root, report, work) {
  const file = path.join(root, '.setup/lock');
  mkdirSync(path.dirname(file), { recursive: true });
  for (let told = false; !take(file);) {
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
  const own = `${file}.${process.pid}`;
  writeFileSync(own, identity(process.pid));
  try {
    linkSync(own, file); // Whoever finds the lock finds it with its content.
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function isAlive(file) {
  try {
    const holder = readFileSync(file, 'utf8');
    return holder === identity(Number.parseInt(holder, 10));
  } catch {
    return false;
  }
}

/** Process ids are used again; with the start time, field 22 of proc_pid_stat(5), they are not. */
function identity(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
}
