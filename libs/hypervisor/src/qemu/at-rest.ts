import { setTimeout as sleep } from 'node:timers/promises';

export interface RestTimeouts {
  lookMs: number;
  /** One after the other. */
  quietLooks: number;
  /** A guest that always works is at rest in its own way. */
  mostMs: number;
}

/** Longer than what a system puts off at its start: the journal of ext4 writes after 5 s, cfg80211 waits 3 s for rules of a country. */
const usualTimeouts: RestTimeouts = { lookMs: 2_200, quietLooks: 3, mostMs: 25_000 };
/** Of one processor. */
const restShare = 0.15;

/**
 * Resolves when something has done next to nothing for a number of looks, or after `mostMs`. What a guest has begun when its state is saved, each clone
 * does again, all at once.
 * @param cpuMs the processor time that it has taken so far
 */
export async function untilAtRest(
  cpuMs: () => number,
  { lookMs, quietLooks, mostMs }: RestTimeouts = usualTimeouts,
): Promise<void> {
  let quiet = 0;
  for (const endsAt = performance.now() + mostMs; quiet < quietLooks && performance.now() < endsAt;) {
    const before = cpuMs();
    await sleep(lookMs);
    quiet = cpuMs() - before <= lookMs * restShare ? quiet + 1 : 0;
  }
}
