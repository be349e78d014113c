import { describe, expect, it } from '@jest/globals';
import { HostLoadMeter, hostLoad, type LoadReading } from './host-load.js';

const quiet: LoadReading = { atMs: 0, processors: 2, averageTasks: 0, runningTasks: 1, totalTicks: 0, stolenTicks: 0 };

function paceOf(...readings: Partial<LoadReading>[]): number {
  const left = readings.map((reading, index) => ({
    ...quiet,
    atMs: index * 1_000,
    totalTicks: index * 200,
    ...reading,
  }));
  const meter = new HostLoadMeter(() => left.shift() ?? quiet);
  let slowness = 0;
  while (left.length) slowness = meter.slowness();
  return slowness;
}
const again = <T>(value: T, times = 60) => Array.from({ length: times }, () => value);

describe('how busy the host is', () => {
  it('is 1 where nobody waits for a processor', () => {
    expect(paceOf({}, { runningTasks: 2 })).toBe(1);
  });

  it('is the tasks that share a processor, at once and after a while', () => {
    expect(paceOf({ runningTasks: 12 })).toBe(6);
    expect(paceOf({}, ...again({ runningTasks: 8 }))).toBeCloseTo(4, 2);
    expect(paceOf({ runningTasks: 8 }, ...again({ runningTasks: 1 }))).toBeCloseTo(1, 2);
  });

  it('counts those who wait for a disk by the average of the last minute', () => {
    expect(paceOf({ averageTasks: 9 })).toBe(4.5);
  });

  it('knows what a hypervisor below gave to others', () => {
    const stolen = again(0).map((_, index) => ({ stolenTicks: (index + 1) * 150, totalTicks: (index + 1) * 200 }));
    expect(paceOf({}, ...stolen)).toBeCloseTo(4, 1);
  });

  it('has a bound, which is the bound of all deadlines', () => {
    expect(paceOf({ runningTasks: 5_000 })).toBe(20);
  });

  it('can be read of this host', () => {
    expect(hostLoad.slowness()).toBeGreaterThanOrEqual(1);
  });
});
