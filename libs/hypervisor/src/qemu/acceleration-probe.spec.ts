import { describe, expect, it } from '@jest/globals';
import { late, probeAcceleration } from './acceleration-probe.js';

describe('what guests run on', () => {
  /** Answers in turn; an `undefined` is a guest whose code ran. */
  const probing = (...answers: (string | undefined)[]) => {
    const asked: string[] = [];
    const found = probeAcceleration((kind, deadlineMs = 0) => {
      asked.push(deadlineMs ? `${kind} with more time` : kind);
      return Promise.resolve(answers[asked.length - 1]);
    }, undefined);
    return { asked, found };
  };

  it('is KVM where a guest was late on it once, on a busy host', async () => {
    const { asked, found } = probing(late, undefined, undefined);
    expect(await found).toMatchObject({ kind: 'kvm' });
    expect(asked).toEqual(['kvm', 'tcg', 'kvm with more time']);
  });

  it('is emulation where KVM needs many times longer than that', async () => {
    expect(await probing(late, undefined, late).found).toMatchObject({
      kind: 'tcg',
      why: expect.stringContaining(late),
    });
    expect(await probing('no permission', undefined).found).toMatchObject({
      kind: 'tcg',
      why: expect.stringContaining('no permission'),
    });
  });

  it('is not known, and asked again, where no guest came to its end', async () => {
    await expect(probing(late, late).found).rejects.toMatchObject({
      reason: 'host_too_slow',
      fault: 'system',
      retryable: true,
    });
    await expect(probing('broken', 'broken').found).rejects.toMatchObject({ reason: 'hypervisor_unavailable' });
  });
});
