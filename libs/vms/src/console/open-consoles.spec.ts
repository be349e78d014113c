import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Guest } from '#libs/hypervisor';
import { notFound, type EventBus, type Settings } from '#libs/platform';
import type { ConsoleAccess, ConsoleVm } from './console-access.js';
import type { Closing } from './console-bridge.js';
import { ConsolePace } from './console-pace.js';
import { OpenConsoles } from './open-consoles.js';

const hourMs = 3_600_000;
const guest = {} as Guest;
let reach: (vmId: string) => Promise<ConsoleVm>;
let ended: (vmId: string) => void;
let gap: () => void;
let consoles: OpenConsoles;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
  reach = (id) => Promise.resolve({ vm: { id, name: 'web', ownerId: 'somebody' }, guest });
  const access: ConsoleAccess = { reach: () => Promise.reject(notFound('vm', 'web')), reachById: (id) => reach(id) };
  const events = { subscribe: (_topic: string, { onEvent, onGap }: { onEvent: (id: string) => void; onGap: () => void }) => ((ended = onEvent), (gap = onGap), () => undefined) };
  consoles = new OpenConsoles(access, events as unknown as EventBus, { consoleMaxHours: 2 } as Settings, new ConsolePace());
  consoles.onApplicationBootstrap();
});
afterEach(() => void jest.useRealTimers());

/** Closes as a bridge does: once. */
function opened(vmId: string) {
  let resolve = (): void => undefined;
  const closed = new Promise<void>((done) => (resolve = done));
  const closings: Closing[] = [];
  const close = (closing: Closing) => {
    closings.push(closing);
    resolve();
  };
  return { closings, watched: consoles.watch(vmId, guest, { close, closed }) };
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

  it('is closed when its VM runs in another guest by now', async () => {
    const { closings } = opened('a');
    await looked();
    reach = (id) => Promise.resolve({ vm: { id, name: 'web', ownerId: 'somebody' }, guest: {} as Guest });
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
