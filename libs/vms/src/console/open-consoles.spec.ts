import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Guest } from '#libs/hypervisor';
import { notFound, type EventBus, type Revocations, type Settings } from '#libs/platform';
import type { ConsoleAccess, ConsoleVm } from './console-access.js';
import type { Closing } from './console-bridge.js';
import { ConsoleTimeouts } from './console-timeouts.js';
import { OpenConsoles } from './open-consoles.js';

const hourMs = 3_600_000;
const guest = {} as Guest;
const machine = {} as ConsoleVm['machine'];
let reach: (vmId: string) => Promise<ConsoleVm>;
let ended: (vmId: string) => void;
let gap: () => void;
let revoke: (subject: string) => void;
let justRevoked: string[];
let consoles: OpenConsoles;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
  reach = (id) => Promise.resolve({ vm: { id, name: 'web', ownerId: 'somebody' }, guest, machine });
  const access: ConsoleAccess = { reach: () => Promise.reject(notFound('vm', 'web')), reachById: (id) => reach(id) };
  const events = {
    subscribe: (_topic: string, { onEvent, onGap }: { onEvent: (id: string) => void; onGap: () => void }) => (
      (ended = onEvent),
      (gap = onGap),
      () => undefined
    ),
  };
  justRevoked = [];
  const revocations = {
    onRevoked: (listener: typeof revoke) => ((revoke = listener), () => undefined),
    wasRevokedSince: ({ revocationSubjects }: { revocationSubjects: string[] }) =>
      revocationSubjects.some((subject) => justRevoked.includes(subject)),
  };
  consoles = new OpenConsoles(
    access,
    events as unknown as EventBus,
    revocations as unknown as Revocations,
    { consoleMaxHours: 2 } as Settings,
    new ConsoleTimeouts(),
  );
  consoles.onApplicationBootstrap();
});
afterEach(() => void jest.useRealTimers());

/** Closes as a bridge does: once. */
function opened(
  vmId: string,
  { revocationSubjects = [] as string[], expiresAt = undefined as number | undefined } = {},
) {
  let resolve = (): void => undefined;
  const closed = new Promise<void>((done) => (resolve = done));
  const closings: Closing[] = [];
  const close = (closing: Closing) => {
    closings.push(closing);
    resolve();
  };
  return {
    closings,
    watched: consoles.watch({ vmId, guest, revocationSubjects, expiresAt, checkedAt: 0 }, { close, closed }),
  };
}

const looked = () => new Promise((resolve) => setImmediate(resolve));

describe('an open console', () => {
  it('is closed after its longest time, and not before', async () => {
    const { closings, watched } = opened('a');
    await jest.advanceTimersByTimeAsync(2 * hourMs - 1);
    expect(closings).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    await watched;
    expect(closings).toEqual([{ code: 4408, reason: 'console_time_over' }]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is closed at once when the access to its VM ends, and no other is', async () => {
    const [mine, other] = [opened('a'), opened('b')];
    await looked();
    reach = (id) => Promise.reject(notFound('vm', id));
    ended('a');
    await looked();
    expect([mine.closings, other.closings]).toEqual([[{ code: 4404, reason: 'vm_not_found' }], []]);
  });

  it('is closed with the key or the sign-in that asked for it, no other is, and none is opened on it any more', async () => {
    const revoked = { code: 4403, reason: 'console_link_revoked' };
    const revocationSubjects = ['key:1', 'user:1'];
    const [mine, other] = [opened('a', { revocationSubjects }), opened('a')];
    revoke('key:2');
    expect(mine.closings).toEqual([]);
    revoke('user:1');
    expect([mine.closings, other.closings]).toEqual([[revoked], []]);
    justRevoked = ['key:1'];
    expect(opened('a', { revocationSubjects }).closings).toEqual([revoked]);
    await looked();
  });

  it('is closed when the key that asked for it expires', async () => {
    const { closings } = opened('a', { expiresAt: Date.now() + 1_000 });
    await jest.advanceTimersByTimeAsync(1_000);
    expect(closings).toEqual([{ code: 4403, reason: 'console_link_revoked' }]);
  });

  it('is closed when its VM runs in another guest by now', async () => {
    const { closings } = opened('a');
    await looked();
    reach = (id) => Promise.resolve({ vm: { id, name: 'web', ownerId: 'somebody' }, guest: {} as Guest, machine });
    ended('a');
    await looked();
    expect(closings).toEqual([{ code: 4410, reason: 'guest_ended' }]);
  });

  it('is looked after when news may have been missed, and every half minute', async () => {
    const asked = jest.fn(reach);
    reach = asked;
    opened('a');
    expect(asked).toHaveBeenCalledTimes(1);
    gap();
    expect(asked).toHaveBeenCalledTimes(2);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(asked).toHaveBeenCalledTimes(3);
  });

  it('stays where the database is away', async () => {
    const { closings } = opened('a');
    await looked();
    reach = () => Promise.reject(new Error('the connection was lost'));
    ended('a');
    await looked();
    expect(closings).toEqual([]);
  });
});
