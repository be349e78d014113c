import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What the kernel says of the host at one moment (proc_loadavg(5), proc_stat(5)). */
export interface LoadReading {
  atMs: number;
  processors: number;
  /** That wanted a processor or a disk, on average over the last minute. */
  averageTasks: number;
  /** That want a processor now. */
  runningTasks: number;
  /** Processor time so far, and what of it a hypervisor below this host gave to others; of one unit. */
  totalTicks: number;
  stolenTicks: number;
}

const lookEveryMs = 400;
const smoothedOverMs = 5_000;
/** Beyond this nothing is waited for longer: it is the bound of every deadline in host time. */
const mostSlowness = 20;

/**
 * How much longer work takes on this host now than it would on the same one at rest: the tasks that share a processor, and what of it somebody
 * outside took. A deadline that does not know it takes a busy host for a fault of what it waits for.
 */
export class HostLoadMeter {
  #last: LoadReading | undefined;
  #tasks = 0;
  #stolen = 0;

  constructor(private readonly read: () => LoadReading = readLoad) {}

  /** From 1, which is a host at rest. */
  slowness(): number {
    const now = this.read();
    const before = this.#last;
    if (before === undefined || now.atMs - before.atMs >= lookEveryMs) {
      const weight = before ? 1 - Math.exp(-(now.atMs - before.atMs) / smoothedOverMs) : 1;
      const ticks = before ? now.totalTicks - before.totalTicks : 0;
      this.#tasks += weight * (now.runningTasks - this.#tasks);
      if (before && ticks > 0) this.#stolen += weight * ((now.stolenTicks - before.stolenTicks) / ticks - this.#stolen);
      this.#last = now;
    }
    const shared = Math.max(1, this.#tasks / now.processors, now.averageTasks / now.processors);
    return Math.min(mostSlowness, shared / Math.max(1 - this.#stolen, 1 / mostSlowness));
  }
}

/** Of this host; one for all, so that what was seen for one deadline is known to the next. */
export const hostLoad = new HostLoadMeter();

function readLoad(): LoadReading {
  const [average, , , tasks] = textOf('/proc/loadavg').split(' ');
  const ticks = (/^cpu +(.*)$/m.exec(textOf('/proc/stat'))?.[1] ?? '').split(' ').map(Number);
  return {
    atMs: performance.now(),
    processors: os.availableParallelism(),
    averageTasks: Number(average) || 0,
    runningTasks: Number(tasks?.split('/')[0]) || 0,
    // The time of guests is part of that of users already.
    totalTicks: ticks.slice(0, 8).reduce((sum, value) => sum + value, 0),
    stolenTicks: ticks[7] ?? 0,
  };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
