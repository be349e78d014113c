import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { ProgramError } from '#libs/platform';
import { DiskGuard, isDiskFull } from './disk-guard.js';

const never = new AbortController().signal;
const roomy = new DiskGuard(tmpdir(), 0);
const crowded = new DiskGuard(tmpdir(), Number.MAX_SAFE_INTEGER);

describe('DiskGuard', () => {
  it('refuses a build that needs more than there is, with the numbers', async () => {
    await roomy.require('fetch', [{ stage: 'base', bytes: 1 }]);
    const needs = [
      { stage: 'fetch' as const, bytes: 2 ** 20 },
      { stage: 'base' as const, bytes: 2 ** 60 },
    ];
    await expect(roomy.require('fetch', needs)).rejects.toMatchObject({
      stage: 'fetch',
      whose: 'system',
      reason: 'disk_full',
      retryable: true,
      hint: expect.any(String),
      message: expect.stringMatching(
        /^The disk has \d+ MiB free; this build needs about 1099511627777 MiB \(fetch 1, base 1099511627776\), and 0 MiB must stay free\.$/,
      ),
    });
    await expect(crowded.require('resolve', [])).rejects.toMatchObject({ stage: 'resolve', reason: 'disk_full' });
  });

  it('stops what runs while the disk fills, and nothing where there is room', async () => {
    const watch = crowded.watch(never);
    await watch.look();
    expect([watch.full, watch.signal.aborted]).toEqual([true, true]);
    watch.stop();
    const calm = roomy.watch(never);
    await calm.look();
    expect([calm.full, calm.signal.aborted]).toEqual([false, false]);
    calm.stop();
  });

  it('does not take a file system that cannot be asked for a full one', async () => {
    const watch = new DiskGuard('/nonexistent', Number.MAX_SAFE_INTEGER).watch(never);
    await watch.look();
    expect(watch.full).toBe(false);
    watch.stop();
  });
});

describe('isDiskFull', () => {
  it.each([
    [Object.assign(new Error('write failed'), { code: 'ENOSPC' }), true],
    [Object.assign(new Error('write failed'), { code: 'EDQUOT' }), true],
    [
      new ProgramError('mksquashfs', 'exit', 'failed', {
        code: 1,
        stdout: '',
        stderr: 'Write failed because No space left on device',
      }),
      true,
    ],
    [new ProgramError('mksquashfs', 'exit', 'failed (exit code 1): boom'), false],
    [new Error('No space left on device, says a stranger'), false],
  ])('knows it from other failures: %s', (error, expected) => {
    expect(isDiskFull(error)).toBe(expected);
  });
});
