import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** Keeps what a guest prints: the beginning in a file, up to a cap, and the end in memory. Beyond the cap the guest is still read, so that it does not stall. */
export class SerialLog {
  readonly #file: WriteStream;
  #written = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;

  constructor(
    stream: Readable,
    readonly path: string,
    private readonly caps = { fileBytes: 8 << 20, tailBytes: 128 << 10 },
  ) {
    const { fileBytes } = caps;
    // wx: in a directory that a guest's process could write, the name might have become a link.
    this.#file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
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

  /** Chunks are often single characters: they are put together only when there is twice what is wanted. */
  #keep(chunk: Buffer): void {
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    if (this.#tailBytes <= 2 * this.caps.tailBytes) return;
    this.#tail = [Buffer.from(Buffer.concat(this.#tail).subarray(-this.caps.tailBytes))];
    this.#tailBytes = this.caps.tailBytes;
  }
}
