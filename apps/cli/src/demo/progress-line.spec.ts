import { describe, expect, it } from '@jest/globals';
import { duration, mebibytes, progressLine, stageLine, type BuildProgress } from './progress-line.js';

const state = (more: Partial<BuildProgress> = {}): BuildProgress => ({
  status: 'building',
  stage: 'squashfs',
  progress: 50,
  stages: [],
  queue_position: null,
  estimated_seconds_left: null,
  cancel_requested: false,
  ...more,
});
const wide = { stageSeconds: 12.4, columns: 200 };
const done = (from_cache: boolean) => ({ stage: 'base', state: 'done', seconds: 1.25, from_cache });

describe('the progress line', () => {
  it('shows bar, stage, seconds, cache hits and the time left', () => {
    const line = progressLine(
      state({
        stages: [done(true), done(false), { stage: 'squashfs', state: 'running', seconds: null, from_cache: null }],
        estimated_seconds_left: 80,
      }),
      wide,
    );
    expect(line).toBe(
      '[############------------]  50 %  squashfs 12 s, 1 of 2 stages from the cache, about 1 min 20 s left',
    );
  });

  it('leaves out what is not known', () =>
    expect(progressLine(state({ progress: 0 }), wide)).toBe('[------------------------]   0 %  squashfs 12 s'));

  it.each([
    [{ status: 'pending', stage: null, queue_position: 1 }, 'waiting for 1 build'],
    [{ status: 'pending', stage: null, queue_position: 3 }, 'waiting for 3 builds'],
    [{ status: 'pending', stage: null, queue_position: 0 }, 'waiting for a worker'],
    [{ cancel_requested: true }, 'cancelling'],
  ])('of %j says: %s', (more, words) => expect(progressLine(state(more), wide)).toMatch(new RegExp(` %  ${words}$`)));

  it('is never as wide as the terminal', () => {
    for (const columns of [1, 20, 80])
      expect(
        progressLine(state({ progress: 100, estimated_seconds_left: 5000, stages: [done(true)] }), {
          stageSeconds: 3,
          columns,
        }).length,
      ).toBeLessThanOrEqual(Math.max(1, columns - 1));
  });
});

it('a finished stage tells its seconds, and whether it was in the cache', () => {
  expect(stageLine(done(true))).toBe('base          1.3 s  from the cache');
  expect(stageLine({ ...done(false), seconds: 123.04 })).toBe('base        123.0 s');
});

it('durations and sizes are for people', () => {
  expect([0, 59.6, 61, 3600, -1].map(duration)).toEqual(['0 s', '1 min 0 s', '1 min 1 s', '60 min 0 s', '0 s']);
  expect([1_000, 5.5 * 2 ** 20, 300 * 2 ** 20].map(mebibytes)).toEqual(['0.0 MiB', '5.5 MiB', '300 MiB']);
});
