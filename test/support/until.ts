import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again until the answer is as wanted, for what other processes (or other connections of this one) hear of a moment later. @returns the last answer */
export async function until<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer) || Date.now() > deadline) return answer;
    await sleep(10);
  }
}
