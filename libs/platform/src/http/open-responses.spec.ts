import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { anonymousCaller, type Caller } from '../caller/caller.js';
import type { Revocations } from '../caller/revocations.js';
import { OpenResponses } from './open-responses.js';

class FakeResponse extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

let responses: OpenResponses;
let revoke: (subject: string) => void;
const justRevoked = new Set<string>();

beforeEach(() => {
  justRevoked.clear();
  responses = new OpenResponses({
    onRevoked: (listener: (subject: string) => void) => (revoke = listener),
    wasRevokedSince: ({ revocationSubjects }: { revocationSubjects: readonly string[] }) =>
      revocationSubjects.some((subject) => justRevoked.has(subject)),
  } as unknown as Revocations);
});

const holder = (id: string, more: Partial<Caller> = {}): Caller => ({
  ...anonymousCaller('192.0.2.1'),
  kind: 'key',
  principalId: `key:${id}`,
  revocationSubjects: [`key:${id}`, 'user:1'],
  ...more,
});
const watched = (caller: Caller) => {
  const response = new FakeResponse();
  responses.watch(caller, response as unknown as ServerResponse);
  return response;
};

describe('OpenResponses', () => {
  it('cuts off what stands on something revoked, and nothing else', () => {
    const [one, other, stranger] = [watched(holder('a')), watched(holder('b')), watched(anonymousCaller('192.0.2.1'))];
    revoke('key:a');
    expect([one, other, stranger].map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    revoke('user:1');
    expect([other, stranger].map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  it('cuts off at once what was revoked between its check and here', () => {
    justRevoked.add('key:a');
    expect(watched(holder('a')).destroyed).toBe(true);
  });

  it('leaves alone what is over, and what is to be spared', () => {
    const [over, spared] = [watched(holder('a')), watched(holder('a'))];
    over.emit('close');
    responses.spare(spared as unknown as ServerResponse);
    revoke('key:a');
    expect([over.destroyed, spared.destroyed]).toEqual([false, false]);
  });

  it('cuts off what is over by time, however far away that is', async () => {
    const far = watched(holder('far', { expiresAt: Date.now() + 3_650 * 86_400_000 }));
    const near = watched(holder('near', { expiresAt: Date.now() + 20 }));
    await new Promise((resolve) => near.once('close', resolve));
    expect([near.destroyed, far.destroyed]).toEqual([true, false]);
  });
});
