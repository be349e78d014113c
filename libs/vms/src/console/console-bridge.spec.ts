import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WebSocket } from 'ws';
import { bridge } from './console-bridge.js';
import type { ConsoleVm } from './console-access.js';
import { ConsoleBudget, ConsoleBudgets, consoleLimits } from './console-budget.js';
import { ConsoleTyping } from './console-typing.js';

/** A websocket without a network: says what the test has it say, unless it is paused. */
class FakeSocket extends EventEmitter {
  readyState: number = WebSocket.OPEN;
  isPaused = false;
  ended: unknown;
  bufferedAmount = 0;
  readonly sent: (Buffer | string)[] = [];
  readonly #unread: (() => void)[] = [];

  /** Lies there until the browser reads. */
  send(bytes: Buffer | string, _options: object = {}, onSent: () => void = () => undefined): void {
    this.sent.push(bytes);
    this.bufferedAmount += bytes.length;
    this.#unread.push(() => {
      this.bufferedAmount -= bytes.length;
      onSent();
    });
  }

  readAll(): void {
    for (const read of this.#unread.splice(0)) read();
  }
  /** Whether the peer answers. */
  terminateOnClose = true;

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: number, reason: string): void {
    this.ended ??= { code, reason };
    if (this.terminateOnClose) this.terminate();
  }

  terminate(): void {
    this.readyState = WebSocket.CLOSED;
    this.emit('close');
  }

  ping(): void {}

  readonly pongs: Buffer[] = [];
  pong(bytes: Buffer): void {
    this.pongs.push(bytes);
  }
}

const handshake = Buffer.from('RFB 003.008\n\x01\x01', 'latin1');
const updateRequest = Buffer.from([3, 0, 0, 0, 0, 0, 2, 128, 1, 224]);

/** A guest that takes what it is sent when the test lets it. */
function slowGuest() {
  const taken: Buffer[] = [];
  const unread: (() => void)[] = [];
  const screen = new Duplex({
    writableHighWaterMark: 20,
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      unread.push(() => {
        taken.push(chunk);
        done();
      });
    },
  });
  const readAll = async () => {
    for (let read = unread.shift(); read; read = unread.shift()) {
      read();
      await new Promise((resolve) => process.nextTick(resolve));
    }
  };
  return { screen, taken, readAll };
}

/** A browser that asks for nothing to be typed. */
const noTyping = new ConsoleTyping({} as ConsoleVm, false);

function bridged({ viewOnly = false, budget = new ConsoleBudget(), typing = noTyping } = {}) {
  const socket = new FakeSocket();
  const guest = slowGuest();
  return {
    socket,
    ...guest,
    ...bridge(socket as unknown as WebSocket, guest.screen, { viewOnly, budget, pingMs: 1_000, typing }),
  };
}

describe('a text message', () => {
  const asked = Buffer.from('{"text":"abc"}');

  it('is for the factory, which answers with another; the guest’s screen sees nothing of it', async () => {
    const typing = { type: jest.fn((_message: Buffer) => Promise.resolve({ layout: 'a layout' })), stop: jest.fn() };
    const { socket, taken, close, closed } = bridged({ typing: typing as unknown as ConsoleTyping });
    socket.emit('message', asked, false);
    await Promise.resolve();
    expect(typing.type).toHaveBeenCalledWith(asked);
    expect(socket.sent).toEqual(['{"layout":"a layout"}']);
    expect(taken).toEqual([]);
    close({ code: 1000, reason: '' });
    await closed;
    expect(typing.stop).toHaveBeenCalled();
  });

  it('that is none of its kind ends the console, and each counts', () => {
    const { socket } = bridged();
    socket.emit('message', Buffer.from('abc'), false);
    expect(socket.ended).toEqual({ code: 4400, reason: 'protocol_violation' });
    const flooding = bridged({ budget: new ConsoleBudget(() => 0), viewOnly: true });
    for (let frame = 0; frame <= consoleLimits.frames.burst; frame++) flooding.socket.emit('message', asked, false);
    expect(flooding.socket.ended).toEqual({ code: 4429, reason: 'console_flooded' });
  });
});

describe('the bridge to a guest that reads slowly', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick'] }));
  afterEach(() => void jest.useRealTimers());

  it('lets the browser wait until the guest has read', async () => {
    const { socket, taken, readAll } = bridged();
    socket.emit('message', handshake, true);
    expect(socket.isPaused).toBe(false);
    socket.emit('message', updateRequest, true);
    expect(socket.isPaused).toBe(true);
    // What had come already when it was paused.
    socket.emit('message', updateRequest, true);
    expect({ isPaused: socket.isPaused, taken }).toEqual({ isPaused: true, taken: [] });
    await readAll();
    expect(socket.isPaused).toBe(false);
    expect(Buffer.concat(taken)).toEqual(Buffer.concat([handshake, updateRequest, updateRequest]));
  });

  it('ends though the guest never reads', async () => {
    const { socket, screen, close, closed } = bridged();
    socket.emit('message', Buffer.concat([handshake, updateRequest]), true);
    expect(socket.isPaused).toBe(true);
    close({ code: 4408, reason: 'console_time_over' });
    await closed;
    // Else it would never see the browser's answer to the closing.
    expect(socket.isPaused).toBe(false);
    expect([socket.ended, screen.destroyed]).toEqual([{ code: 4408, reason: 'console_time_over' }, true]);
  });

  it('leaves a browser that answers no ping', async () => {
    const { socket, screen, closed } = bridged();
    jest.advanceTimersByTime(1_000);
    socket.emit('pong', Buffer.alloc(0));
    jest.advanceTimersByTime(1_000);
    expect(screen.destroyed).toBe(false);
    jest.advanceTimersByTime(1_000);
    await closed;
    expect(screen.destroyed).toBe(true);
  });
});

describe('the bridge to a browser, from a screen that never rests', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  /** Gives a piece whenever it is read. */
  const restless = (bytes: number) =>
    new Duplex({
      read() {
        this.push(Buffer.alloc(bytes, 1));
      },
      write: (_chunk, _encoding, done) => done(),
    });
  const bridgedTo = (screen: Duplex) => {
    const socket = new FakeSocket();
    return {
      socket,
      ...bridge(socket as unknown as WebSocket, screen, {
        viewOnly: true,
        budget: new ConsoleBudget(),
        pingMs: 1_000_000,
        typing: noTyping,
      }),
    };
  };

  it('keeps some megabytes for a browser that does not read, and goes on when it does', async () => {
    const { socket, close } = bridgedTo(restless(64 << 10));
    for (let count = 0; count < 200; count++) await turn();
    const kept = socket.bufferedAmount;
    expect(kept).toBeGreaterThan(4 << 20);
    expect(kept).toBeLessThan(5 << 20);
    socket.readAll();
    for (let count = 0; count < 20; count++) await turn();
    expect(socket.sent.length * (64 << 10)).toBeGreaterThan(kept);
    close({ code: 1000, reason: '' });
  });

  it.each([1, 100, 64 << 10])(
    'of pieces of %d bytes, sends few in each turn, so that others have theirs',
    async (bytes) => {
      const { socket, close } = bridgedTo(restless(bytes));
      let most = 0;
      for (let count = 0; count < 100; count++) {
        const before = socket.sent.length;
        await turn();
        most = Math.max(most, socket.sent.length - before);
        socket.readAll();
      }
      expect(most).toBeGreaterThan(0);
      // 256 KiB, and no piece counts for less than four.
      expect(most).toBeLessThanOrEqual(65);
      close({ code: 1000, reason: '' });
    },
  );
});

describe('a browser that sends without end', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick'] }));
  afterEach(() => void jest.useRealTimers());
  const frozen = () => new ConsoleBudget(() => 0);
  const flooded = { code: 4429, reason: 'console_flooded' };
  const encodings = Buffer.from([2, 0, 0, 1, 0, 0, 0, 0]);

  it.each([false, true])('is closed after so many frames (view only: %s)', (viewOnly) => {
    const { socket, screen } = bridged({ viewOnly, budget: frozen() });
    screen.resume();
    socket.emit('message', handshake, true);
    let frames = 1;
    for (; socket.ended === undefined && frames < 100_000; frames++)
      socket.emit('message', Buffer.from([encodings[frames % 8]!]), true);
    expect({ frames, ended: socket.ended }).toEqual({ frames: expect.any(Number), ended: flooded });
    expect(frames).toBeLessThanOrEqual(consoleLimits.frames.burst + 1);
    expect([socket.isPaused, screen.destroyed]).toEqual([true, true]);
  });

  it.each([false, true])('is closed after so many messages in one frame (view only: %s)', (viewOnly) => {
    const { socket } = bridged({ viewOnly, budget: frozen() });
    socket.emit(
      'message',
      Buffer.concat([handshake, ...Array.from({ length: consoleLimits.messages.burst + 1 }, () => updateRequest)]),
      true,
    );
    expect(socket.ended).toEqual(flooded);
  });

  it('is closed after so many bytes, and so many pings', () => {
    const { socket } = bridged({ budget: frozen() });
    socket.emit('message', Buffer.alloc(consoleLimits.bytes.burst + 1), true);
    const other = bridged({ budget: frozen() });
    for (let ping = 0; ping <= consoleLimits.frames.burst; ping++) other.socket.emit('ping', Buffer.alloc(0));
    expect([socket.ended, other.socket.ended]).toEqual([flooded, flooded]);
  });

  it('has its pings answered until then, as long as it reads what comes', () => {
    const { socket } = bridged({ budget: frozen() });
    for (let ping = 0; ping < consoleLimits.frames.burst; ping++) socket.emit('ping', Buffer.from('x'));
    expect([socket.pongs.length, socket.ended]).toEqual([consoleLimits.frames.burst, undefined]);
    const { socket: deaf } = bridged({ budget: frozen() });
    deaf.bufferedAmount = 4 << 20;
    deaf.emit('ping', Buffer.from('x'));
    expect(deaf.pongs).toEqual([]);
  });

  it('is read no more, and is gone a moment later, whether it answers or not', async () => {
    const { socket, closed } = bridged({ budget: frozen() });
    socket.terminateOnClose = false;
    socket.emit('message', Buffer.alloc(consoleLimits.bytes.burst + 1), true);
    await new Promise((resolve) => process.nextTick(resolve));
    expect([socket.isPaused, socket.readyState]).toEqual([true, WebSocket.OPEN]);
    for (let ping = 0; ping < 100; ping++) socket.emit('ping', Buffer.alloc(0));
    expect([jest.getTimerCount(), socket.pongs]).toEqual([2, []]);
    jest.advanceTimersByTime(5_000);
    await closed;
  });

  it('shares its budget with the owner’s other consoles, and with the next', () => {
    const budgets = new ConsoleBudgets();
    expect(budgets.of('ada')).toBe(budgets.of('ada'));
    expect(budgets.of('ada')).not.toBe(budgets.of('bob'));
  });
});
