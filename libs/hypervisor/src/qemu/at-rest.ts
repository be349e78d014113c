import { setTimeout as sleep } from 'node:timers/promises';

export interface RestPace {
  lookMs: number;
  /** A guest that always works is at rest in its own way. */
  mostMs: number;
}

const usualPace: RestPace = { lookMs: 500, mostMs: 15_000 };
/** Of one processor. */
const restShare = 0.15;

/**
 * Resolves when something has done next to nothing for two looks, or after `mostMs`. What a guest has begun when its state is saved, each clone
 * does again, all at once.
 * @param cpuMs the processor time that it has taken so far
 */
export async function untilAtRest(cpuMs: () => number, { lookMs, mostMs }: RestPace = usualPace): Promise<void> {
  let quiet = 0;
  for (const endsAt = performance.now() + mostMs; quiet < 2 && performance.now() < endsAt; ) {
    const before = cpuMs();
    await sleep(lookMs);
    quiet = cpuMs() - before <= lookMs * restShare ? quiet + 1 : 0;
  }
}
