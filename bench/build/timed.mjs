import { execFileSync, spawn } from 'node:child_process';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// A mount and pid namespace: nothing stays mounted, and nothing of it outlives its first process.
const confined = [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '--',
];
const enter = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"';

/** cgroup v2 counts CPU in every group, whichever controllers are on, and may be mounted beside v1 (Linux, Documentation/admin-guide/cgroup-v2.rst). */
export function cgroupRoot() {
  return execFileSync('findmnt', ['--noheadings', '--first-only', '--types', 'cgroup2', '--output', 'TARGET'], {
    encoding: 'utf8',
  }).trim();
}

/**
 * Runs a command to its end in a cgroup of its own. Not by getrusage(2): bubblewrap does not wait for its child, whose CPU would be lost.
 * @returns seconds on the clock, and on the processors of whatever the command started
 */
export async function timed(command, { cwd, env, output, signal }) {
  const group = path.join(cgroupRoot(), `openfactory-bench-${process.pid}`);
  await mkdir(group);
  const kill = () => void writeFile(path.join(group, 'cgroup.kill'), '1').catch(() => undefined);
  try {
    signal.throwIfAborted();
    const began = performance.now();
    const child = spawn('sh', ['-c', enter, 'sh', group, ...confined, ...command], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    signal.addEventListener('abort', kill, { once: true });
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
    const wallSeconds = (performance.now() - began) / 1000;
    signal.throwIfAborted();
    return {
      code,
      wallSeconds,
      cpuSeconds: Number(/^usage_usec (\d+)$/m.exec(await readFile(path.join(group, 'cpu.stat'), 'utf8'))[1]) / 1e6,
    };
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    await removeWhenEmpty(group);
  }
}

async function removeWhenEmpty(group) {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (
      await rmdir(group).then(
        () => true,
        () => false,
      )
    )
      return;
    await sleep(100);
  }
}
