import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** Keeps what a guest prints: the beginning in a file, up to a cap, and the end in memory. Beyond the cap the guest is still read, so that it does not stall. */
export class SerialLog {
  readonly #file: WriteStream;
  #written = 0;
  #tail = Buffer.alloc(0);

  constructor(
    stream: Readable,
    readonly path: string,
    { fileCapBytes = 8 << 20, tailBytes = 128 << 10 } = {},
  ) {
    // wx: in a directory that a guest's process could write, the name might have become a link.
    this.#file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    this.#file.on('error', () => undefined); // A full disk costs the log, not the guest.
    stream.on('data', (chunk: Buffer) => {
      this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-tailBytes);
      if (this.#written >= fileCapBytes) return;
      this.#file.write(chunk.subarray(0, fileCapBytes - this.#written));
      this.#written += chunk.length;
      if (this.#written >= fileCapBytes) this.#file.write(`\n[the log ends here: ${fileCapBytes} bytes]\n`);
    });
    stream.on('close', () => this.#file.end());
    stream.on('error', () => undefined);
  }

  text(): string {
    return this.#tail.toString('utf8');
  }
}
