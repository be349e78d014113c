import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Process ids are used again; with the start time, field 22 of proc_pid_stat(5) in ticks since boot, they are not. */
export interface ProcessIdentity {
  pid: number;
  startedAt: number;
}

/** Undefined: there is none, or it is a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startedAt: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export const isAlive = ({ pid, startedAt }: ProcessIdentity): boolean => identify(pid)?.startedAt === startedAt;

/** Signals a process that may be no child of ours, or the group that it leads; nothing where its number has become another's. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, whom: 'process' | 'group' = 'process'): void {
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
