import type { Socket } from 'node:net';
import { PacedReader, TokenBucket } from '#libs/platform';
import { guestError } from '../guest-error.js';

/** What a peer may say that nobody asked for: so many lines and bytes at once, and so many a second in the long run. Beyond that it is cut off. */
export interface UnaskedBudget {
  lines: number;
  linesPerSecond: number;
  bytes: number;
  bytesPerSecond: number;
}

export interface LineSocketOptions {
  /** For messages: `QMP server`, `guest agent`. */
  peer: string;
  budget: UnaskedBudget;
  /** A line may be no longer; a peer that goes on is cut off. Default 1 MiB. */
  maxLineBytes?: number;
  /** @returns whether somebody had asked for it: that costs the peer nothing */
  onLine: (line: Buffer) => boolean;
  /** Once, however it ended. */
  onClosed: (error: Error) => void;
  /** For tests; default the time of the process. */
  now?: () => number;
}

const newline = 0x0a;
/** Then the event loop is others'. */
export const turnLimits = { lines: 64, bytes: 64 << 10 };
const leastRoomBytes = 4 << 10;
/** What a piece counts for at least: one of a single byte costs as much work as one of some hundred. */
const leastPieceBytes = 256;

/** Lines over a socket whose other end may lie, flood, or say nothing at all. An error thrown by `onLine` ends the connection. */
export class LineSocket {
  readonly #reader: PacedReader;
  readonly #lines: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #maxLineBytes: number;
  /** The beginning of a line whose end has not come. Grows by doubling: pieces of one byte cost no more than others. */
  #line = Buffer.alloc(0);
  #lineBytes = 0;
  /** What has come, and is not looked at yet. */
  #waiting: Buffer[] = [];
  #isClosed = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: LineSocketOptions,
  ) {
    const { budget, peer, now } = options;
    this.#maxLineBytes = options.maxLineBytes ?? 1 << 20;
    this.#lines = new TokenBucket(budget.linesPerSecond, budget.lines, now);
    this.#bytes = new TokenBucket(budget.bytesPerSecond, budget.bytes, now);
    // No faster than this even where all was asked for.
    const rate = { bytesPerTurn: turnLimits.bytes, bytesPerSecond: 64 << 20, burstBytes: 64 << 20, leastPieceBytes: 1 };
    this.#reader = new PacedReader(socket, rate, (piece) => this.#take(piece), now);
    socket.on('error', (error) =>
      this.close(guestError('guest_peer_failed', `The connection to the ${peer} broke: ${error.message}`)),
    );
    socket.on('close', () => this.close(guestError('guest_peer_failed', `The ${peer} closed its connection.`)));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(bytes: Buffer | string): void {
    if (!this.#isClosed) this.socket.write(bytes);
  }

  close(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#line = Buffer.alloc(0);
    this.socket.destroy();
    this.options.onClosed(error);
  }

  #take(piece: Buffer): void {
    if (this.#isClosed) return;
    if (!this.#bytes.take(Math.max(piece.length, leastPieceBytes)))
      return this.#flooded(`more than ${this.options.budget.bytes} bytes`);
    this.#waiting.push(piece);
    // Else it is in the middle of it.
    if (this.#waiting.length === 1) this.#work();
  }

  /** One turn's work on what waits; the rest of it has the next. */
  #work(): void {
    for (let lines = 0; !this.#isClosed;) {
      const [piece] = this.#waiting;
      if (!piece) return this.#reader.release();
      if (lines === turnLimits.lines) break;
      const end = piece.indexOf(newline);
      this.#append(end === -1 ? piece : piece.subarray(0, end));
      if (end === -1 || end === piece.length - 1) this.#waiting.shift();
      else this.#waiting[0] = piece.subarray(end + 1);
      if (end === -1 || this.#isClosed) continue;
      lines++;
      this.#endLine();
    }
    if (this.#isClosed) return;
    this.#reader.hold();
    setImmediate(() => this.#work());
  }

  #append(part: Buffer): void {
    const bytes = this.#lineBytes + part.length;
    if (bytes > this.#maxLineBytes) return this.#flooded(`more than ${this.#maxLineBytes} bytes in one line`);
    if (bytes > this.#line.length) {
      const grown = Buffer.alloc(Math.min(this.#maxLineBytes, Math.max(leastRoomBytes, 2 * bytes)));
      this.#line.copy(grown, 0, 0, this.#lineBytes);
      this.#line = grown;
    }
    part.copy(this.#line, this.#lineBytes);
    this.#lineBytes = bytes;
  }

  #endLine(): void {
    const line = Buffer.from(this.#line.subarray(0, this.#lineBytes));
    this.#lineBytes = 0;
    // The room of a long line is not kept for short ones.
    if (this.#line.length > leastRoomBytes) this.#line = Buffer.alloc(0);
    try {
      if (this.options.onLine(line)) return this.#bytes.giveBack(line.length + 1);
    } catch (error) {
      return this.close(
        guestError(
          'guest_peer_failed',
          `The ${this.options.peer} sent what it must not: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        ),
      );
    }
    if (!this.#lines.take(1)) this.#flooded(`more than ${this.options.budget.lines} lines`);
  }

  #flooded(what: string): void {
    this.close(
      guestError('guest_flooded', `The ${this.options.peer} sent ${what} that nobody asked for, and was cut off.`),
    );
  }
}

/** An honest message has some hundred values: what has more, or is nested deeper, is not parsed. */
const mostParts = 10_000;

export function parseObject(line: Buffer): Record<string, unknown> {
  let parts = 0;
  for (const byte of line) if (byte === 0x5b || byte === 0x7b || byte === 0x2c) parts++;
  if (parts > mostParts) throw new Error(`a message of more than ${mostParts} values`);
  const value: unknown = JSON.parse(line.toString());
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('a message that is no object');
  return value as Record<string, unknown>;
}
