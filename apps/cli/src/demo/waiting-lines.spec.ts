import { expect, it } from '@jest/globals';
import type { BuildProgress } from './progress-line.js';
import { WaitingLines } from './waiting-lines.js';

const state = (more: Partial<BuildProgress>): BuildProgress => ({
  status: 'building',
  stage: null,
  progress: 0,
  stages: [],
  queue_position: null,
  estimated_seconds_left: null,
  cancel_requested: false,
  ...more,
});

it('tells at once that a build waits for something else, and calmly that it still waits for the same', async () => {
  const lines = new WaitingLines(15_000);
  let asked = 0;
  const at = (seconds: number, more: Partial<BuildProgress>) =>
    lines.next(state(more), seconds * 1_000, () => Promise.resolve(`line ${++asked}`));
  expect(await at(100, { status: 'pending', queue_position: 2 })).toBe('waiting for 2 builds …');
  expect(await at(101, { status: 'pending', queue_position: 2 })).toBeUndefined();
  expect(await at(102, { status: 'pending', queue_position: 1 })).toBe('waiting for 1 build …');
  expect(await at(103, { status: 'pending', queue_position: 0 })).toBe('waiting for a worker …');
  expect(await at(104, { stage: 'resolve' })).toBe('resolve …');
  expect(await at(118, { stage: 'resolve' })).toBeUndefined();
  expect(asked).toBe(0);
  expect(await at(119, { stage: 'resolve' })).toBe('resolve … since 15 s: line 1');
  expect(await at(120, { stage: 'resolve' })).toBeUndefined();
  expect(await at(200, { stage: 'resolve' })).toBe('resolve … since 1 min 36 s: line 2');
  expect(await at(201, { stage: 'boot' })).toBe('boot …');
});
