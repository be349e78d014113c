import { PassThrough } from 'node:stream';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FloodingServer, type Flood } from '../testing/flooding-server.js';
import type { ClosedPort } from '../hypervisor.port.js';
import { GuestAgentClient } from './guest-agent-client.js';
import { GuestHelperClient } from './guest-helper-client.js';
import type { RuntimeDirectory } from './runtime-directory.js';
import { GuestPorts } from './guest-ports.js';
import { LineSocket, turnLimits } from './line-socket.js';
import { QmpClient } from './qmp-client.js';
import { SerialLog } from './serial-log.js';

const never = new AbortController().signal;
const servers: FloodingServer[] = [];
afterEach(async () => void (await Promise.all(servers.splice(0).map((server) => server.stop()))));

async function flooding(flood: Flood): Promise<FloodingServer> {
  const server = await FloodingServer.start(flood);
  servers.push(server);
  return server;
}

/** What others have of this event loop meanwhile: its turns, and timers, of which there is never more than one in a millisecond. */
function othersTurns(): { turns: () => number; timers: () => number; stop: () => void } {
  let [turns, timers, isOver] = [0, 0, false];
  const askTurn = () => void setImmediate(() => (turns++, isOver || askTurn()));
  const askTimer = () => void setTimeout(() => (timers++, isOver || askTimer()), 0);
  askTurn();
  askTimer();
  return { turns: () => turns, timers: () => timers, stop: () => (isOver = true) };
}

const newlines: Flood = { piece: Buffer.alloc(64 << 10, '\n'), bytes: 10_000_000 };
const flooded = {
  reason: 'guest_flooded',
  fault: 'system',
  message: expect.stringMatching(
    /^The (guest agent|guest helper|QMP server) sent more than \d+ (lines|bytes|bytes in one line) that nobody asked for, and was cut off\.$/,
  ),
};

describe('a guest that floods', () => {
  it.each<[string, Flood]>([
    ['ten million newlines', newlines],
    ['ten megabytes without a newline', { piece: Buffer.alloc(64 << 10, 'x'), bytes: 10 << 20 }],
    ['answers that nobody asked for', { piece: '{"return": {}}\n'.repeat(4_000), bytes: 10 << 20 }],
    ['half characters', { piece: Buffer.from('\u20ac'.repeat(20_000)).subarray(1), bytes: 10 << 20 }],
  ])('its ports with %s is cut off at both, with a sentence', async (_what, flood) => {
    const server = await flooding(flood);
    await expect(new GuestHelperClient(server.connect()).waitUntilReady(never, 1_000)).rejects.toMatchObject(flooded);
    const agent = new GuestAgentClient(server.connect());
    await expect(agent.waitUntilReady(never, 1_000)).rejects.toMatchObject(flooded);
    await expect(agent.execute('/bin/true', [], { deadlineMs: 1_000 })).rejects.toMatchObject(flooded);
  });

  it('leaves others their turns: few lines in each of them', async () => {
    const server = await flooding(newlines);
    let [lines, most, before] = [0, 0, 0];
    // A turn ends where the immediates come.
    const perTurn = () =>
      setImmediate(() => ((most = Math.max(most, lines - before)), (before = lines), isOver || perTurn()));
    let isOver = false;
    perTurn();
    const others = othersTurns();
    await new Promise((resolve) => {
      // Nothing comes back while it is counted.
      const budget = { lines: 20_000, linesPerSecond: 1e-6, bytes: 16 << 20, bytesPerSecond: 1e-6 };
      new LineSocket(server.connect(), {
        peer: 'guest agent',
        budget,
        onLine: () => (lines++, false),
        onClosed: resolve,
      });
    });
    isOver = true;
    others.stop();
    expect(lines).toBe(20_001);
    // A socket may be heard once more before the immediates of the turn that it was told to wait in.
    expect(most).toBeLessThanOrEqual(2 * turnLimits.lines);
    expect(others.turns()).toBeGreaterThanOrEqual(lines / (2 * turnLimits.lines));
    expect(others.timers()).toBeGreaterThan(3);
  });

  it('with events loses its QMP, and whoever holds the machine is told', async () => {
    const server = await flooding({
      once: '{"QMP": {}}\n{"return": {}, "id": 1}\n',
      piece: '{"timestamp": {}, "event": "DEVICE_TRAY_MOVED", "data": {"tray-open": true}}\n'.repeat(500),
      bytes: 100 << 20,
    });
    const others = othersTurns();
    let events = 0;
    const told = new Promise(
      (resolve) =>
        void QmpClient.connect(server.connect(), { onEvent: () => events++, onFlood: resolve }).catch(resolve),
    );
    expect(await told).toMatchObject(flooded);
    others.stop();
    expect(events).toBeLessThanOrEqual(25_000);
    expect(others.turns()).toBeGreaterThanOrEqual(events / (2 * turnLimits.lines));
    expect(others.timers()).toBeGreaterThan(3);
  });

  it('with one large answer after the other has each refused, and no more parsed than an honest one', async () => {
    const deep = `{"return": ${'['.repeat(100_000)}${']'.repeat(100_000)}}\n`;
    const server = await flooding({ piece: Buffer.concat([Buffer.of(0xff), Buffer.from(deep)]), bytes: 100 << 20 });
    await expect(new GuestAgentClient(server.connect()).waitUntilReady(never, 1_000)).rejects.toMatchObject({
      fault: 'system',
      message: expect.stringContaining('more than 10000 values'),
    });
  });

  it('does not get to do it again by a factory that starts anew', async () => {
    const server = await flooding(newlines);
    const connected: string[] = [];
    const runtime = {
      connect: (name: string) => (connected.push(name), Promise.resolve(server.connect())),
    } as unknown as RuntimeDirectory;
    let remembered: readonly ClosedPort[] = [];
    const told: ClosedPort[] = [];
    const ports = await GuestPorts.open(runtime, {
      closed: [],
      remember: (closed) => ((remembered = [...closed]), Promise.resolve()),
    });
    ports.onClosed((closed) => told.push(closed));
    await expect(ports.helper.waitUntilReady(never)).rejects.toMatchObject(flooded);
    await expect(ports.agent.waitUntilReady(never)).rejects.toMatchObject(flooded);
    expect(remembered.map(({ port }) => port).sort()).toEqual(['agent', 'helper']);
    expect(told).toHaveLength(2);
    connected.length = 0;
    const next = await GuestPorts.open(runtime, {
      closed: remembered,
      remember: () => Promise.reject(new Error('nothing is new')),
    });
    const toldAgain: ClosedPort[] = [];
    next.onClosed((closed) => toldAgain.push(closed));
    expect({ connected, toldAgain }).toEqual({ connected: [], toldAgain: remembered });
    await expect(next.helper.type('x')).rejects.toMatchObject(flooded);
    await expect(next.agent.execute('/bin/true', [], { deadlineMs: 1_000 })).rejects.toMatchObject(flooded);
  });
});

describe('the serial log of a guest that prints without end', () => {
  it('keeps its end and its beginning, and leaves others their turns', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-serial-flood-'));
    const server = await flooding({ piece: Buffer.from('0123456789abcde\n'.repeat(4_096)), bytes: 6 << 20 });
    const others = othersTurns();
    const socket = server.connect();
    const log = new SerialLog(socket, path.join(dir, 'log'), { fileBytes: 1 << 20, tailBytes: 128 << 10 });
    let bytes = 0;
    let [most, before] = [0, 0];
    socket.on('data', (piece: Buffer) => (bytes += piece.length));
    const perTurn = () =>
      setImmediate(() => ((most = Math.max(most, bytes - before)), (before = bytes), bytes < 6 << 20 && perTurn()));
    perTurn();
    while (bytes < 6 << 20) await new Promise((resolve) => setTimeout(resolve, 20));
    others.stop();
    socket.destroy();
    await log.done;
    expect(log.text()).toHaveLength(128 << 10);
    expect((await readFile(path.join(dir, 'log'))).length).toBeLessThan((1 << 20) + 100);
    expect(most).toBeLessThanOrEqual(4 * (64 << 10));
    expect(others.turns()).toBeGreaterThanOrEqual((6 << 20) / most);
    expect(others.timers()).toBeGreaterThan(3);
    await rm(dir, { recursive: true });
  });

  it('takes no more room for single characters than for others', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-serial-flood-'));
    const stream = new PassThrough();
    const log = new SerialLog(stream, path.join(dir, 'log'), { fileBytes: 10, tailBytes: 5 });
    for (const letter of 'abcdefghijklmnopqrstuvwxyz') stream.write(letter);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(log.text()).toBe('vwxyz');
    stream.destroy();
    await log.done;
    await rm(dir, { recursive: true });
  });
});
