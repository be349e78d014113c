import { it } from '@jest/globals';

/** `it` for a test that not every machine can run: elsewhere it is skipped, and its name says why. */
export const itWhere =
  (isPossible: boolean, whyNot: string) => (name: string, work: () => Promise<void>, timeoutMs?: number) =>
    isPossible ? it(name, work, timeoutMs) : it.skip(`${name} (skipped: ${whyNot})`, work, timeoutMs);
