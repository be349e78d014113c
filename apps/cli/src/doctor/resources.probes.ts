import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Settings } from '#libs/platform';
import { fail, ok, warn, type Check } from './check.js';

/** Below this the embedded PostgreSQL refuses to start. */
const leastDiskBytes = 256 * 1024 * 1024;
const goodDiskBytes = 10e9;
const leastMemoryBytes = 512 * 1024 * 1024;
const goodMemoryBytes = 4e9;
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

export async function probeDisk({ dataDir }: Settings): Promise<Check[]> {
  const dir = await nearestExisting(dataDir);
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  const found = `${gigabytes(free)} free at ${dir}`;
  const remedy = 'Free some space, or choose another disk with OPENFACTORY_DATA_DIR.';
  if (free < leastDiskBytes) return [fail('disk space', found, remedy)];
  return [
    free < goodDiskBytes ? warn('disk space', found, `Images will need more. ${remedy}`) : ok('disk space', found),
  ];
}

export async function probeMemory(): Promise<Check[]> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const available = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  const found = `${gigabytes(available)} of ${gigabytes(os.totalmem())} available`;
  if (available < leastMemoryBytes)
    return [fail('memory', found, 'Close other programs, or give this machine more memory.')];
  return [
    available < goodMemoryBytes
      ? warn('memory', found, 'Enough for the factory itself; virtual machines will need more.')
      : ok('memory', found),
  ];
}

export async function probeControlGroups(): Promise<Check[]> {
  const controllers = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => undefined);
  if (controllers === undefined)
    return [
      warn(
        'control groups',
        'no cgroup v2 at /sys/fs/cgroup',
        'The factory runs without; limits of builds and guests will rest on rlimits and a watchdog.',
      ),
    ];
  return [ok('control groups', `cgroup v2 with ${controllers.trim() || 'no controllers'}`)];
}

async function nearestExisting(dir: string): Promise<string> {
  const exists = await statfs(dir).then(
    () => true,
    () => false,
  );
  return exists || dir === '/' ? dir : await nearestExisting(path.dirname(dir));
}
