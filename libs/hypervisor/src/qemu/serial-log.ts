import { closeSync, constants, createWriteStream, fstatSync, openSync, readSync, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** Keeps what a guest prints: the beginning in a file, up to a cap, and the end in memory. Beyond the cap the guest is still read, so that it does not stall. */
export class SerialLog {
  /** Settles when all of it is in the file. */
  readonly done: Promise<void>;
  readonly #file: WriteStream;
  #written = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;

  /** `goesOn`: the log of another factory, which took note of the same guest before us, is continued. */
  constructor(
    stream: Readable,
    readonly path: string,
    private readonly caps = { fileBytes: 8 << 20, tailBytes: 128 << 10 },
    { goesOn = false } = {},
  ) {
    const { fileBytes } = caps;
    if (goesOn) this.#takeUp();
    // Not through a link: in a directory that a guest's process could write, the name might have become one.
    const flags = goesOn ? constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW : 'wx';
    this.#file = createWriteStream(path, { flags: flags as string, mode: 0o600 });
    this.done = new Promise((resolve) => this.#file.on('close', resolve));
    this.#file.on('error', () => undefined); // A full disk costs the log, not the guest.
    stream.on('data', (chunk: Buffer) => {
      this.#keep(chunk);
      if (this.#written >= fileBytes) return;
      this.#file.write(chunk.subarray(0, fileBytes - this.#written));
      this.#written += chunk.length;
      if (this.#written >= fileBytes) this.#file.write(`\n[the log ends here: ${fileBytes} bytes]\n`);
    });
    stream.on('close', () => this.#file.end());
    stream.on('error', () => undefined);
  }

  text(): string {
    return Buffer.concat(this.#tail).subarray(-this.caps.tailBytes).toString('utf8');
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

  /** Chunks are often single characters: they are put together only when there is twice what is wanted. */
  #keep(chunk: Buffer): void {
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    if (this.#tailBytes <= 2 * this.caps.tailBytes) return;
    this.#tail = [Buffer.from(Buffer.concat(this.#tail).subarray(-this.caps.tailBytes))];
    this.#tailBytes = this.caps.tailBytes;
  }
}
