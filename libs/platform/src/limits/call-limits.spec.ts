import { describe, expect, it } from '@jest/globals';
import { anonymousCaller, type Caller } from '../caller/caller.js';
import { loadSettings } from '../config/settings.js';
import { CallLimits } from './call-limits.js';

const limitsOf = (environment: Record<string, string>) =>
  new CallLimits(loadSettings({ HOME: '/home/ada', ...environment }).settings, 'postgres://nowhere');
const ada = anonymousCaller('192.0.2.1');
const mostFailures = 30;
const key: Caller = { ...ada, kind: 'key', principalId: 'key:1' };
const times = async <T>(count: number, act: () => Promise<T>) => {
  const all: T[] = [];
  for (let time = 0; time < count; time++) all.push(await act());
  return all;
};

describe('limits of calls', () => {
  it('take a burst of a whole minute, and then say how long to wait', async () => {
    const limits = limitsOf({ OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '5' });
    expect(await times(5, () => limits.countCall(ada))).toEqual(Array.from({ length: 5 }, () => undefined));
    const refusal = await limits.countCall(ada);
    expect(refusal).toMatchObject({
      kind: 'quota',
      reason: 'rate_limited',
      retryable: true,
      message: expect.stringMatching(
        /^More than 5 calls in a minute came from the anonymous caller of your address; the next is taken in \d+ s\.$/,
      ),
      hint: expect.stringContaining('API key'),
    });
    expect(refusal!.retryAfterSeconds).toBeGreaterThan(0);
    expect(refusal!.retryAfterSeconds).toBeLessThanOrEqual(60);
  });

  it('are each principal’s and each address’s own', async () => {
    const limits = limitsOf({
      OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '1',
      OPENFACTORY_CALLS_PER_MINUTE: '2',
      OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: '3',
    });
    const reasons = async (act: () => ReturnType<CallLimits['countCall']>) =>
      (await times(4, act)).map((refusal) => refusal?.reason);
    expect(await reasons(() => limits.countCall(ada))).toEqual([
      undefined,
      'rate_limited',
      'rate_limited',
      'rate_limited',
    ]);
    expect(await reasons(() => limits.countCall(key))).toEqual([undefined, undefined, 'rate_limited', 'rate_limited']);
    expect(await reasons(() => limits.countRequest(ada.address))).toEqual([
      undefined,
      undefined,
      undefined,
      'rate_limited',
    ]);
    expect([
      await limits.countCall(anonymousCaller('192.0.2.2')),
      await limits.countCall({ ...key, principalId: 'key:2' }),
      await limits.countRequest('192.0.2.2'),
    ]).toEqual([undefined, undefined, undefined]);
    expect((await limits.countCall(key))?.hint).not.toContain('API key');
  });

  it('shut the door to an address that guesses, and to no other', async () => {
    const limits = limitsOf({});
    await times(mostFailures - 1, () => limits.countFailure('192.0.2.1'));
    expect(() => limits.refuseGuesser('192.0.2.1')).not.toThrow();
    await limits.countFailure('192.0.2.1');
    expect(() => limits.refuseGuesser('192.0.2.1')).toThrow(
      expect.objectContaining({ reason: 'rate_limited', retryAfterSeconds: expect.any(Number) }),
    );
    expect(() => limits.refuseGuesser('192.0.2.2')).not.toThrow();
  });
});
