import { beforeEach, describe, expect, it } from '@jest/globals';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { anonymousCaller, Metrics, type Caller, type EventBus, type Revocations, type Settings } from '#libs/platform';
import { SessionTransport } from '../transports/session-transport.js';
import { StreamKeeper } from '../transports/stream-keeper.js';
import type { McpSession } from './mcp-session.js';
import type { SessionFactory } from './session.factory.js';
import { SessionRegistry } from './session-registry.js';

class FakeTransport extends SessionTransport {
  readonly name = 'sse';
  protected readonly fallbackVersion = undefined;
  connected = true;
  constructor(id: string) {
    super();
    this.sessionId = id;
  }
  send(_: JSONRPCMessage): Promise<void> {
    return Promise.resolve();
  }
  protected closeStreams(): void {
    this.connected = false;
  }
}

const ada = anonymousCaller('192.0.2.1');
const bob = anonymousCaller('192.0.2.2');
const minute = 60_000;
let registry: SessionRegistry;
let keeper: StreamKeeper;
let revoke: (subject: string) => void;
const justRevoked = new Set<string>();
const revocations = {
  onRevoked: (listener: (subject: string) => void) => (revoke = listener),
  wasRevokedSince: ({ revocationSubjects }: { revocationSubjects: readonly string[] }) =>
    revocationSubjects.some((subject) => justRevoked.has(subject)),
};
const holder = (id: string): Caller => ({
  ...anonymousCaller('192.0.2.9'),
  kind: 'key',
  principalId: `key:${id}`,
  revocationSubjects: [`key:${id}`, 'user:1'],
});

beforeEach(() => {
  keeper = new StreamKeeper(new Metrics());
  const factory = {
    make: (caller: McpSession['caller'], _: unknown, transport: FakeTransport) => ({
      id: transport.sessionId,
      caller,
      transport,
      logId: '0',
      openedAt: Date.now(),
      lastUsedAt: Date.now(),
      subscriptions: new Set(),
      get busy() {
        return transport.inFlight.size > 0;
      },
      start: () => Promise.resolve(),
      close: () => transport.close(),
    }),
  } as unknown as SessionFactory;
  registry = new SessionRegistry(
    { mcpMaxSessions: 4, mcpMaxSessionsPerCaller: 2, mcpMaxSessionsPerOwner: 3 } as Settings,
    factory,
    { subscribe: () => () => undefined } as unknown as EventBus,
    keeper,
    revocations as unknown as Revocations,
    new Metrics(),
  );
  registry.onModuleInit();
});

const open = async (caller = ada, transport = new FakeTransport(registry.newId())) => {
  registry.admit(caller);
  return { session: await registry.open(caller, { toolsets: undefined, readOnly: false }, transport), transport };
};

describe('SessionRegistry', () => {
  it('finds a session for its caller only', async () => {
    const { session } = await open();
    expect(registry.find(session.id, ada)).toBe(session);
    expect(registry.find(session.id, bob)).toBeUndefined();
    expect(registry.find(undefined, ada)).toBeUndefined();
  });

  it('makes ids that cannot be guessed', () => {
    const ids = new Set(Array.from({ length: 1_000 }, () => registry.newId()));
    expect(ids.size).toBe(1_000);
    for (const id of ids) expect(Buffer.from(id, 'base64url')).toHaveLength(24);
  });

  it('ends the caller’s longest idle session for a new one, never a busy one', async () => {
    const first = await open();
    const second = await open();
    first.session.lastUsedAt = 0;
    const third = await open();
    expect([first.transport.connected, second.transport.connected]).toEqual([false, true]);
    for (const { transport } of [second, third]) transport.inFlight.add(1);
    expect(() => registry.admit(ada)).toThrow(
      expect.objectContaining({ reason: 'too_many_sessions', retryAfterSeconds: 10 }),
    );
    expect(() => registry.admit(bob)).not.toThrow();
  });

  it('counts the sessions of all keys of an account together', async () => {
    const [one, two] = [await open(holder('1')), await open(holder('1'))];
    const three = await open(holder('2'));
    one.session.lastUsedAt = 0;
    const four = await open(holder('2'));
    expect([one, two, three, four].map(({ transport }) => transport.connected)).toEqual([false, true, true, true]);
    for (const { transport } of [two, three, four]) transport.inFlight.add(1);
    expect(() => registry.admit(holder('3'))).toThrow(
      expect.objectContaining({ reason: 'too_many_sessions', message: expect.stringContaining('Your account has 3') }),
    );
    expect(() => registry.admit(ada)).not.toThrow();
  });

  it('turns newcomers away when the whole process is full', async () => {
    for (const caller of [ada, ada, bob, bob]) await open(caller);
    expect(() => registry.admit(anonymousCaller('192.0.2.3'))).toThrow('as many sessions as it can take');
  });

  it('ends idle sessions without a stream, and very old ones, but no busy ones', async () => {
    const listening = await open(ada);
    const idle = await open(ada);
    idle.transport.connected = false;
    const busy = await open(bob);
    busy.transport.connected = false;
    busy.transport.inFlight.add(1);
    keeper.tick(Date.now() + 31 * minute);
    expect(
      [listening, idle, busy].map(
        ({ session, transport }) => registry.find(session.id, session.caller) === session && Boolean(transport),
      ),
    ).toEqual([true, false, true]);
    keeper.tick(Date.now() + 26 * 60 * minute);
    expect(registry.find(listening.session.id, ada)).toBeUndefined();
  });

  it('ends at once, busy or not, what stands on something revoked, and opens nothing on it', async () => {
    const [one, other, stranger] = [await open(holder('a')), await open(holder('b')), await open(ada)];
    one.transport.inFlight.add(1);
    revoke('key:a');
    expect([one, other, stranger].map(({ transport }) => transport.connected)).toEqual([false, true, true]);
    revoke('user:1');
    expect([other, stranger].map(({ transport }) => transport.connected)).toEqual([false, true]);
    justRevoked.add('key:a');
    await expect(open(holder('a'))).rejects.toMatchObject({ reason: 'invalid_api_key' });
    expect(registry.size).toBe(1);
  });

  it('ends a session whose grant is over by time', async () => {
    const { transport } = await open({ ...holder('c'), expiresAt: Date.now() + minute });
    keeper.tick(Date.now());
    expect(transport.connected).toBe(true);
    keeper.tick(Date.now() + minute);
    expect(transport.connected).toBe(false);
  });

  it('waits for running calls before it ends everything', async () => {
    const { transport } = await open();
    transport.inFlight.add(1);
    const ended = registry.endAll(10_000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(transport.connected).toBe(true);
    transport.inFlight.clear();
    await ended;
    expect([transport.connected, registry.size]).toEqual([false, 0]);
  });
});
