import type { Duplex } from 'node:stream';
import { PacedReader, type ReadingRate } from '#libs/platform';
import { WebSocket, type RawData } from 'ws';
import { ClientMessages, ProtocolViolation } from './client-messages.js';
import { ConsoleFlood, type ConsoleBudget } from './console-budget.js';
import type { ConsoleTyping } from './console-typing.js';

/** Beyond this the screen waits for its reader: one frame of a large screen, no more. */
const highWaterBytes = 4 * 1024 * 1024;
const lowWaterBytes = 1024 * 1024;

/** Far more than a screen at work sends; a guest whose screen never rests, or that sends it in crumbs, waits. */
const screenPace: ReadingRate = {
  bytesPerTurn: 256 << 10,
  bytesPerSecond: 32 << 20,
  burstBytes: 32 << 20,
  leastPieceBytes: 4 << 10,
};

/** What has been sent is given so long to arrive. */
const refusedMs = 5_000;

/** A close code of the application's own (RFC 6455, 7.4.2) and a word that pages compare. */
export interface Closing {
  code: number;
  reason: string;
}

export interface BridgeOptions {
  viewOnly: boolean;
  /** Of all consoles of the owner. */
  budget: ConsoleBudget;
  /** A peer that answers no ping until the next one is gone. */
  pingMs: number;
  /** For text messages: RFB is in the binary ones. */
  typing: ConsoleTyping;
}

export interface Bridge {
  close: (closing: Closing) => void;
  closed: Promise<void>;
}

/**
 * Carries bytes between a browser and a guest's screen, both ways no faster than the slower side reads, and has typed what the browser says in text messages.
 * @returns how to end it, and when it has ended
 */
export function bridge(socket: WebSocket, screen: Duplex, { viewOnly, budget, pingMs, typing }: BridgeOptions): Bridge {
  const messages = new ClientMessages({ viewOnly, onMessage: () => budget.message() });
  let isRefused = false;
  const close = ({ code, reason }: Closing) => {
    if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
    // A paused socket would never see the peer's answer to the closing.
    if (socket.isPaused && !isRefused) socket.resume();
    screen.destroy();
  };
  toBrowser(socket, screen);
  /** Nothing of theirs is read any more; the answer to the closing is not waited for. */
  const refuse = (closing: Closing) => {
    // What was on its way still comes.
    if (isRefused) return;
    isRefused = true;
    close(closing);
    socket.pause();
    setTimeout(() => socket.terminate(), refusedMs).unref();
  };
  const within = <T>(act: () => T, otherwise: T): T => {
    try {
      return act();
    } catch (error) {
      if (error instanceof ConsoleFlood) refuse({ code: 4429, reason: 'console_flooded' });
      else if (error instanceof ProtocolViolation) refuse({ code: 4400, reason: 'protocol_violation' });
      else throw error;
      return otherwise;
    }
  };
  toGuest(socket, screen, (bytes) =>
    within(() => {
      budget.frame(bytes.length);
      return messages.pass(bytes);
    }, Buffer.alloc(0)),
  );
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (isBinary || screen.destroyed) return;
    const answer = within(() => {
      budget.frame((data as Buffer).length);
      return typing.type(data as Buffer);
    }, undefined);
    void answer?.then((said) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(said)));
  });
  for (const sign of ['ping', 'pong'] as const) {
    socket.on(sign, (bytes: Buffer) => {
      within(() => budget.frame(bytes.length), undefined);
      // Not every ping wants an answer (RFC 6455, 5.5.3): who reads none gets none.
      if (
        sign === 'ping' &&
        !isRefused &&
        socket.readyState === WebSocket.OPEN &&
        socket.bufferedAmount < highWaterBytes
      )
        socket.pong(bytes);
    });
  }
  const heartbeat = keepAlive(socket, pingMs);
  screen.once('close', () => close({ code: 4410, reason: 'guest_ended' }));
  screen.on('error', () => screen.destroy());
  socket.on('error', () => socket.terminate());
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      clearInterval(heartbeat);
      typing.stop();
      screen.destroy();
      resolve();
    }),
  );
  return { close, closed };
}

function toBrowser(socket: WebSocket, screen: Duplex): void {
  const reader = new PacedReader(screen, screenPace, (piece) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(piece, { binary: true }, () => {
      if (socket.bufferedAmount < lowWaterBytes) reader.release();
    });
    if (socket.bufferedAmount > highWaterBytes) reader.hold();
  });
}

function toGuest(socket: WebSocket, screen: Duplex, pass: (bytes: Buffer) => Buffer): void {
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary || screen.destroyed) return;
    const bytes = pass(data as Buffer);
    if (!bytes.length || screen.write(bytes)) return;
    socket.pause();
    screen.once('drain', () => socket.resume());
  });
}

function keepAlive(socket: WebSocket, pingMs: number): NodeJS.Timeout {
  let isAnswered = true;
  socket.on('pong', () => (isAnswered = true));
  return setInterval(() => {
    if (!isAnswered) return socket.terminate();
    isAnswered = false;
    socket.ping();
  }, pingMs).unref();
}
