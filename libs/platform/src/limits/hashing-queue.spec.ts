import { describe, expect, it } from '@jest/globals';
import { HashingQueue } from './hashing-queue.js';

/** Work that ends when the test says so, in the order in which it began. */
function works() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  const endOne = async () => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, work, endOne, running: () => ends.length };
}

describe('HashingQueue', () => {
  it('runs two at a time, and each asker in turn', async () => {
    const queue = new HashingQueue();
    const { begun, work, endOne, running } = works();
    for (let at = 1; at <= 5; at++) void queue.run('ada', work(`ada ${at}`));
    void queue.run('bob', work('bob 1'));
    void queue.run('eve', work('eve 1'));
    expect(begun).toEqual(['ada 1', 'ada 2']);
    for (let end = 0; end < 4; end++) {
      await endOne();
      expect(running()).toBeLessThanOrEqual(2);
    }
    expect(begun).toEqual(['ada 1', 'ada 2', 'ada 3', 'bob 1', 'eve 1', 'ada 4']);
    for (let end = 0; end < 3; end++) await endOne();
    void queue.run('ada', work('ada 6'));
    expect(begun.at(-1)).toBe('ada 6');
  });

  it('is left by who goes away, and refuses who brings too many', async () => {
    const queue = new HashingQueue();
    const { begun, work, endOne } = works();
    for (let at = 1; at <= 2; at++) void queue.run('ada', work(`ada ${at}`));
    const gone = new AbortController();
    const waiting = queue.run('bob', work('bob'), gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(queue.run('bob', work('bob'), gone.signal)).rejects.toThrow('gone');
    await endOne();
    await endOne();
    expect(begun).toEqual(['ada 1', 'ada 2']);
    for (let at = 0; at < 52; at++) void queue.run('eve', work('eve'));
    await expect(queue.run('eve', work('eve'))).rejects.toMatchObject({ kind: 'unavailable', reason: 'too_busy' });
  });

  it('gives its place back whatever became of the work', async () => {
    const queue = new HashingQueue();
    for (let at = 0; at < 5; at++)
      await expect(queue.run('ada', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await queue.run('ada', () => Promise.resolve(1))).toBe(1);
  });
});
