import type { Readable } from 'node:stream';
import { TokenBucket } from './token-bucket.js';

export interface ReadingRate {
  /** Of the event loop: then others have theirs. */
  bytesPerTurn: number;
  bytesPerSecond: number;
  burstBytes: number;
  /** What a piece counts for at least, however short: each costs the same work. */
  leastPieceBytes: number;
}

/**
 * Reads what a stranger sends no faster than it may, and never without a pause: what it sends meanwhile stays with it, because the stream is not read then.
 * No rate ends a stream; who wants that has a bucket of their own.
 */
export class PacedReader {
  readonly #bucket: TokenBucket;
  #turnBytes = 0;
  #isTurnOver = false;
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(
    private readonly stream: Readable,
    private readonly rate: ReadingRate,
    private readonly onPiece: (piece: Buffer) => void,
    now?: () => number,
  ) {
    this.#bucket = new TokenBucket(rate.bytesPerSecond, rate.burstBytes, now);
    stream.on('data', (piece: Buffer) => this.#take(piece));
    stream.once('close', () => clearTimeout(this.#timer));
  }

  /** Nothing more is read until `release`; one piece may still come that was on its way. */
  hold(): void {
    this.#isHeld = true;
    this.stream.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#goOn();
  }

  #take(piece: Buffer): void {
    if (this.#turnBytes === 0) setImmediate(() => this.#beginTurn());
    const cost = Math.max(piece.length, this.rate.leastPieceBytes);
    this.#turnBytes += cost;
    if (this.#turnBytes >= this.rate.bytesPerTurn) this.#isTurnOver = true;
    if (!this.#bucket.take(cost)) this.#timer ??= setTimeout(() => this.#pay(), this.#bucket.debtMs).unref();
    if (this.#isTurnOver || this.#timer) this.stream.pause();
    this.onPiece(piece);
  }

  #beginTurn(): void {
    this.#turnBytes = 0;
    this.#isTurnOver = false;
    this.#goOn();
  }

  #pay(): void {
    this.#timer = undefined;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#isHeld || this.#isTurnOver || this.#timer || this.stream.destroyed || !this.stream.isPaused()) return;
    this.stream.resume();
  }
}
