import { describe, expect, it } from '@jest/globals';
import { spawnProgram } from '#libs/platform';
import { identify, isAlive, signalProcess, untilGone } from './process-identity.js';

describe('the identity of a process', () => {
  it('is its number and the moment it started, and is gone with it', async () => {
    const child = spawnProgram('sleep', ['60']);
    await new Promise((resolve) => child.once('spawn', resolve));
    const identity = identify(child.pid!)!;
    expect(isAlive(identity)).toBe(true);
    signalProcess({ ...identity, startedAt: identity.startedAt + 1 }, 'SIGKILL');
    expect(isAlive(identity)).toBe(true);
    expect(child.killed || child.exitCode !== null).toBe(false);
    signalProcess(identity, 'SIGKILL');
    await untilGone(identity, 5);
    expect(isAlive(identity)).toBe(false);
  });

  it('is none where there is no process', () => {
    expect(identify(2 ** 30)).toBeUndefined();
    expect(isAlive({ pid: process.pid, startedAt: 0 })).toBe(false);
  });
});
