import { duration, waitingFor, type BuildProgress } from './progress-line.js';

const usualEveryMs = 15_000;

/** Where nothing can be redrawn: a line whenever what a build waits for changes, and one from time to time in between. */
export class WaitingLines {
  private what = '';
  private since = 0;
  private toldAt = 0;

  constructor(private readonly everyMs = usualEveryMs) {}

  /** @returns undefined where it is not time for a line. `lastWords`: what the build's log said last, asked for only where a line tells it */
  async next(state: BuildProgress, nowMs: number, lastWords: () => Promise<string>): Promise<string | undefined> {
    const what = waitingFor(state);
    if (what !== this.what) {
      [this.what, this.since, this.toldAt] = [what, nowMs, nowMs];
      return `${what} …`;
    }
    if (nowMs - this.toldAt < this.everyMs) return undefined;
    this.toldAt = nowMs;
    const words = await lastWords();
    return `${what} … since ${duration((nowMs - this.since) / 1_000)}${words && `: ${words}`}`;
  }
}
