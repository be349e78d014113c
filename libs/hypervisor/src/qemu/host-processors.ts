import { readFileSync } from 'node:fs';

/** Processors of the host that one guest has, with others or alone. */
export interface ProcessorShare {
  /** Their numbers, at least one. */
  readonly processors: readonly number[];
  /** To be called when the guest has ended. Safe to call again. */
  release(): void;
}

/**
 * Which of the host's processors each guest runs on: as many as it has itself, so that whatever its QEMU does it takes no more of the host. The
 * kernel keeps to it (sched_setaffinity(2)) without control groups, which may be absent or not ours to give, and QEMU's sandbox forbids to change it.
 */
export class HostProcessors {
  readonly #guests = new Map<number, number>();

  /** @param allowed those that the factory may use itself, asked for each guest */
  constructor(private readonly allowed: () => readonly number[] = () => processorsOf('self')) {}

  /** The ones with the fewest guests; all there are where the guest has more. */
  take(vcpus: number): ProcessorShare {
    const guests = (processor: number) => this.#guests.get(processor) ?? 0;
    const byGuests = [...this.allowed()].sort((a, b) => guests(a) - guests(b) || a - b);
    return this.note(byGuests.slice(0, vcpus).sort((a, b) => a - b));
  }

  /** Of a guest that runs on them already. */
  note(processors: readonly number[]): ProcessorShare {
    const count = (change: number) =>
      processors.forEach((processor) => this.#guests.set(processor, (this.#guests.get(processor) ?? 0) + change));
    let isTaken = true;
    count(1);
    return {
      processors,
      release: () => {
        if (isTaken) count(-1);
        isTaken = false;
      },
    };
  }
}

/** taskset(1), to run a program on these only. */
export const onProcessors = (processors: readonly number[]): string[] => [
  'taskset',
  '--cpu-list',
  processors.join(','),
];

/** Those that the kernel lets a process run on. @throws where it is gone */
export function processorsOf(pid: number | 'self'): number[] {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (list === undefined) throw new Error('Linux does not tell which processors a process may run on');
  return parseCpuList(list);
}

/** As Linux writes sets of processors (cpuset(7), "List format"): 0-3,8. */
export function parseCpuList(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
