import { readdir, readFile } from 'node:fs/promises';

/** The QEMUs that have to do with a directory of this test. */
export async function qemusOf(dir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const isOurs = async (pid: number) => {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
    return command[0] === 'qemu-system-x86_64' && mounts.includes(dir.replace(/^\/tmp/, ''));
  };
  const ours = await Promise.all(pids.map(async (pid) => ((await isOurs(pid)) ? [pid] : [])));
  return ours.flat();
}
