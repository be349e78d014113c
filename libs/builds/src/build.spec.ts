import { describe, expect, it } from '@jest/globals';
import {
  buildStatuses,
  claimableStatuses,
  isFinal,
  progressAt,
  retryableStatuses,
  secondsLeft,
  stageWeights,
  transitions,
  unfinishedStatuses,
  type BuildStageRun,
} from './build.js';
import { stageNames, type StageName } from './pipeline/build-pipeline.port.js';

describe('the states of a build', () => {
  it('can all be reached from pending', () => {
    const reached = new Set<string>(['pending']);
    for (const status of reached) for (const next of transitions[status as keyof typeof transitions]) reached.add(next);
    expect([...reached].sort()).toEqual([...buildStatuses].sort());
  });

  it('are final, or can become final', () => {
    for (const status of buildStatuses)
      expect([status, isFinal(status) || transitions[status].some(isFinal)]).toEqual([status, true]);
    expect(buildStatuses.filter(isFinal)).toEqual(['completed', 'failed', 'cancelled']);
  });

  it('tell what may be claimed and retried', () => {
    expect(claimableStatuses).toEqual(['pending', 'building', 'testing']);
    expect(unfinishedStatuses).toEqual(claimableStatuses);
    expect(retryableStatuses.every(isFinal)).toBe(true);
  });
});

describe('progress', () => {
  it('is 100 percent of work', () =>
    expect(Object.values(stageWeights).reduce((sum, weight) => sum + weight, 0)).toBe(100));

  it('only grows from stage to stage, and stays below 100', () => {
    const all = stageNames.flatMap((stage) => [0, 0.3, 0.6, 1].map((fraction) => progressAt(stage, fraction)));
    expect(all).toEqual([...all].sort((a, b) => a - b));
    expect([all[0], all.at(-1)]).toEqual([0, 99]);
  });

  it.each([NaN, -1, Infinity, 7])('survives a fraction of %d', (fraction) => {
    const progress = progressAt('packages', fraction);
    expect(progress >= progressAt('packages', 0) && progress <= progressAt('packages', 1)).toBe(true);
  });
});

describe('time left', () => {
  const now = new Date('2026-01-01T00:01:40Z');
  const typical = Object.fromEntries(stageNames.map((stage) => [stage, 10]));
  const run = (stage: StageName, startedSecondsAgo: number, finished: boolean): BuildStageRun => ({
    stage,
    seconds: null,
    fromCache: false,
    startedAt: new Date(now.getTime() - startedSecondsAgo * 1000),
    finishedAt: finished ? now : null,
  });

  it('is what the stages ahead used to take', () => {
    expect(secondsLeft([], typical, now)).toBe(100);
    expect(secondsLeft([run('resolve', 20, true), run('fetch', 4, false)], typical, now)).toBe(86);
  });

  it('is not less than nothing for a stage that is late', () =>
    expect(secondsLeft([run('resolve', 500, false)], typical, now)).toBe(90));
  it('is unknown where a stage ahead never ran', () =>
    expect(secondsLeft([], { ...typical, boot: undefined }, now)).toBeNull());
});
