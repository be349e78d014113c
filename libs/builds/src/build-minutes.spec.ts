import { describe, expect, it } from '@jest/globals';
import { daySeconds, secondsUntilRoom, secondsWithinDay } from './build-minutes.js';

const hour = 3600;

describe('the minutes of builds within a day', () => {
  it('are those of all runs, also beside each other, and no older ones', () => {
    const runs = [
      { from: 30 * hour, to: 23 * hour },
      { from: 10 * hour, to: 8 * hour },
      { from: 9 * hour, to: 8 * hour },
      { from: hour, to: 0 },
    ];
    expect(secondsWithinDay(runs)).toBe((1 + 2 + 1 + 1) * hour);
    expect(secondsWithinDay([])).toBe(0);
  });

  it('leave the day in the order in which they were used', () => {
    const runs = [
      { from: 20 * hour, to: 19 * hour },
      { from: 10 * hour, to: 5 * hour },
    ];
    // Six hours are used. Below six: as soon as the first begins to leave. Below five: once it has left.
    expect(Math.abs(secondsUntilRoom(runs, 6 * hour) - 4 * hour)).toBeLessThanOrEqual(2);
    expect(Math.abs(secondsUntilRoom(runs, 5.5 * hour) - 4.5 * hour)).toBeLessThanOrEqual(2);
    expect(Math.abs(secondsUntilRoom(runs, 2 * hour) - 17 * hour)).toBeLessThanOrEqual(2);
  });

  it('are gone after a day at the latest, even where none are given', () => {
    expect(secondsUntilRoom([{ from: 0, to: 0 }], 0)).toBe(daySeconds);
  });
});
