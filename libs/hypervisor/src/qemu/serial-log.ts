import { closeSync, constants, createWriteStream, fstatSync, openSync, readSync, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { PacedReader, type ReadingRate } from '#libs/platform';

/** A kernel that says everything says less; a guest that says more waits for it. */
const rate: ReadingRate = {
  bytesPerTurn: 64 << 10,
  bytesPerSecond: 1 << 20,
  burstBytes: 4 << 20,
  leastPieceBytes: 256,
};

/** Keeps what a guest prints: the beginning in a file, up to a cap, and the end in memory. Beyond the cap the guest is still read, so that it does not stall. */
export class SerialLog {
  /** Settles when all of it is in the file. */
  readonly done: Promise<void>;
  readonly #file: WriteStream;
  #written = 0;
  #bytes = 0;
  /** A ring: pieces of single characters, which are usual, take no more room than others. */
  readonly #tail: Buffer;
  #tailAt = 0;
  #isTailFull = false;

  /** `goesOn`: the log of another factory, which took note of the same guest before us, is continued. */
  constructor(
    stream: Readable,
    readonly path: string,
    private readonly caps = { fileBytes: 8 << 20, tailBytes: 128 << 10 },
    { goesOn = false } = {},
  ) {
    const { fileBytes } = caps;
    this.#tail = Buffer.alloc(caps.tailBytes);
    if (goesOn) this.#takeUp();
    // Not through a link: in a directory that a guest's process could write, the name might have become one.
    const flags = goesOn ? constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW : 'wx';
    this.#file = createWriteStream(path, { flags: flags as string, mode: 0o600 });
    this.done = new Promise((resolve) => this.#file.on('close', resolve));
    this.#file.on('error', () => undefined); // A full disk costs the log, not the guest.
    const reader = new PacedReader(stream, rate, (piece) => {
      this.#bytes += piece.length;
      this.#keep(piece);
      if (this.#written >= fileBytes) return;
      // A disk that is slower than the guest makes it wait.
      if (!this.#file.write(piece.subarray(0, fileBytes - this.#written))) reader.hold();
      this.#written += piece.length;
      if (this.#written >= fileBytes) this.#file.write(`\n[the log ends here: ${fileBytes} bytes]\n`);
    });
    for (const event of ['drain', 'close']) this.#file.on(event, () => reader.release());
    stream.on('close', () => this.#file.end());
    stream.on('error', () => undefined);
  }

  /** That came while it was kept. */
  get bytes(): number {
    return this.#bytes;
  }

  text(): string {
    const { tail, at } = { tail: this.#tail, at: this.#tailAt };
    return (
      this.#isTailFull ? Buffer.concat([tail.subarray(at), tail.subarray(0, at)]) : tail.subarray(0, at)
    ).toString('utf8');
  }

  #takeUp(): void {
    try {
      const file = openSync(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        this.#written = fstatSync(file).size;
        const tail = Buffer.alloc(Math.min(this.#written, this.caps.tailBytes));
        this.#keep(tail.subarray(0, readSync(file, tail, 0, tail.length, this.#written - tail.length)));
      } finally {
        closeSync(file);
      }
    } catch {
      // It begins anew.
    }
  }

  #keep(piece: Buffer): void {
    let rest = piece.subarray(-this.caps.tailBytes);
    while (rest.length > 0) {
      const copied = rest.copy(this.#tail, this.#tailAt);
      this.#tailAt = (this.#tailAt + copied) % this.caps.tailBytes;
      this.#isTailFull ||= this.#tailAt === 0;
      rest = rest.subarray(copied);
    }
  }
}
