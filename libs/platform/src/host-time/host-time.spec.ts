import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { afterHostTime, hostTimeout } from './host-time.js';

describe('host time', () => {
  let slowness = 1;
  const host = { slowness: () => slowness };
  beforeEach(() => {
    slowness = 1;
    jest.useFakeTimers();
  });
  afterEach(() => void jest.useRealTimers());

  const passed = (ms: number) => {
    const seen = { passed: false, stop: () => undefined as void };
    seen.stop = afterHostTime(ms, () => (seen.passed = true), host);
    return seen;
  };

  it('is that of the clock where the host is at rest', () => {
    const deadline = passed(5_000);
    jest.advanceTimersByTime(4_990);
    expect(deadline.passed).toBe(false);
    jest.advanceTimersByTime(10);
    expect(deadline.passed).toBe(true);
  });

  it('goes as much slower as the host does, from that moment on', () => {
    const deadline = passed(5_000);
    jest.advanceTimersByTime(2_500);
    slowness = 10;
    jest.advanceTimersByTime(20_000);
    expect(deadline.passed).toBe(false);
    jest.advanceTimersByTime(6_000);
    expect(deadline.passed).toBe(true);
  });

  it('can be ended', () => {
    const deadline = passed(1_000);
    deadline.stop();
    jest.advanceTimersByTime(100_000);
    expect(deadline.passed).toBe(false);
  });

  it('aborts with what is the fault of the system, and may be tried again', () => {
    const { signal } = hostTimeout(1_000, { host });
    jest.advanceTimersByTime(1_000);
    expect(signal.reason).toMatchObject({ reason: 'host_too_slow', fault: 'system', retryable: true });
  });
});
