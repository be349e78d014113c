import { describe, expect, it } from '@jest/globals';
import { HostProcessors, parseCpuList, processorsOf } from './host-processors.js';

describe('the processors of a host', () => {
  it('go to a guest as many as it has itself, those with the fewest guests first', () => {
    const host = new HostProcessors(() => [0, 1, 2, 5]);
    const first = host.take(2);
    expect(first.processors).toEqual([0, 1]);
    expect(host.take(1).processors).toEqual([2]);
    expect(host.take(2).processors).toEqual([0, 5]);
    first.release();
    expect(host.take(1).processors).toEqual([1]);
    expect(host.take(2).processors).toEqual([0, 1]);
  });

  it('all go to a guest that has more', () => {
    const host = new HostProcessors(() => [3, 4]);
    expect(host.take(8).processors).toEqual([3, 4]);
  });

  it('count a guest that was found running, and one that ended only once', () => {
    const host = new HostProcessors(() => [0, 1]);
    const found = host.note([0]);
    expect(host.take(1).processors).toEqual([1]);
    found.release();
    found.release();
    expect(host.take(1).processors).toEqual([0]);
    expect(host.take(1).processors).toEqual([0]);
  });

  it('are those that the kernel names', () => {
    expect(parseCpuList('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(parseCpuList('7')).toEqual([7]);
    const own = processorsOf('self');
    expect(own.length).toBeGreaterThan(0);
    expect(own.every((processor) => Number.isSafeInteger(processor) && processor >= 0)).toBe(true);
  });
});
