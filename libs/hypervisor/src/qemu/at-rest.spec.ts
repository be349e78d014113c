import { describe, expect, it } from '@jest/globals';
import { cpuMsOf } from './process-identity.js';
import { untilAtRest } from './at-rest.js';

/** Reads what the script says, one entry a look, and then the last one again and again. */
function worker(...perLook: number[]) {
  const looks = { count: 0, taken: 0 };
  return {
    looks,
    cpuMs: () =>
      looks.count++ % 2
        ? (looks.taken += perLook[Math.min(looks.count / 2 - 1, perLook.length - 1)] ?? 0)
        : looks.taken,
  };
}

describe('untilAtRest', () => {
  it('waits for quiet looks one after the other', async () => {
    const { looks, cpuMs } = worker(50, 0, 50, 0, 1);
    await untilAtRest(cpuMs, { lookMs: 50, quietLooks: 2, mostMs: 20_000 });
    expect(looks.count / 2).toBe(5);
  });

  it('ends with what never rests, and with what is gone', async () => {
    const busy = worker(50);
    await untilAtRest(busy.cpuMs, { lookMs: 50, quietLooks: 2, mostMs: 200 });
    expect(busy.looks.count).toBeGreaterThan(2);
    await untilAtRest(() => 0, { lookMs: 1, quietLooks: 2, mostMs: 20_000 });
  });

  it('sees a real process work', () => {
    const before = cpuMsOf(process.pid);
    for (let sum = 0; cpuMsOf(process.pid) - before < 30;) sum += Math.sqrt(sum);
    expect(cpuMsOf(2 ** 30)).toBe(0);
  });
});
