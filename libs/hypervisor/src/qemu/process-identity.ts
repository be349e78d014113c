import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Process ids are used again; with the start time, field 22 of proc_pid_stat(5) in ticks since boot, they are not. */
export interface ProcessIdentity {
  pid: number;
  startedAt: number;
}

/** Undefined: there is none, or it is a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const [state, ...fields] = statOf(pid);
  return state === undefined || state === 'Z' || state === 'X' ? undefined : { pid, startedAt: Number(fields[18]) };
}

/** User and system time of all its threads, fields 14 and 15 of proc_pid_stat(5): hundredths of a second on every Linux (USER_HZ, time(7)). */
export function cpuMsOf(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** From field 3 on: behind the name, which may hold anything. Empty where there is no such process. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

export const isAlive = ({ pid, startedAt }: ProcessIdentity): boolean => identify(pid)?.startedAt === startedAt;

/** Signals a process that may be no child of ours, or the group that it leads; nothing where its number has become another's. */
export function signalProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  whom: 'process' | 'group' = 'process',
): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(whom === 'group' ? -identity.pid : identity.pid, signal);
  } catch {
    // It went between the two.
  }
}

/** Resolves when it is gone: a look into /proc, as there is no waiting for what is no child. */
export async function untilGone(identity: ProcessIdentity, everyMs: number, { ref = true } = {}): Promise<void> {
  while (isAlive(identity)) await sleep(everyMs, undefined, { ref });
}
