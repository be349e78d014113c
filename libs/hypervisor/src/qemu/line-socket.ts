import type { Socket } from 'node:net';
import { guestError } from '../guest-error.js';

export interface LineSocketOptions {
  /** For messages: `QMP`, `guest agent`. */
  peer: string;
  /** A line may be no longer; a peer that goes on is cut off. Default 16 MiB. */
  maxLineBytes?: number;
  onLine: (line: Buffer) => void;
  /** Once, however it ended. */
  onClosed: (error: Error) => void;
}

const newline = 0x0a;

/** Lines over a socket whose other end may lie, flood, or say nothing at all. An error thrown by `onLine` ends the connection. */
export class LineSocket {
  #parts: Buffer[] = [];
  #bytes = 0;
  #closed = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: LineSocketOptions,
  ) {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.close(guestError('guest_peer_failed', `The connection to the ${options.peer} broke: ${error.message}`)));
    socket.on('close', () => this.close(guestError('guest_peer_failed', `The ${options.peer} closed its connection.`)));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  write(bytes: Buffer | string): void {
    if (!this.#closed) this.socket.write(bytes);
  }

  close(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts = [];
    this.socket.destroy();
    this.options.onClosed(error);
  }

  #take(chunk: Buffer): void {
    const { maxLineBytes = 16 << 20, peer, onLine } = this.options;
    let rest = chunk;
    while (!this.#closed) {
      const end = rest.indexOf(newline);
      const part = end === -1 ? rest : rest.subarray(0, end);
      this.#bytes += part.length;
      if (this.#bytes > maxLineBytes) return this.close(guestError('guest_peer_failed', `The ${peer} sent more than ${maxLineBytes} bytes in one line.`));
      this.#parts.push(part);
      if (end === -1) return;
      const line = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#bytes = 0;
      rest = rest.subarray(end + 1);
      try {
        onLine(line);
      } catch (error) {
        this.close(guestError('guest_peer_failed', `The ${peer} sent what it must not: ${error instanceof Error ? error.message : String(error)}`, { cause: error }));
      }
    }
  }
}

export function parseObject(line: Buffer | string): Record<string, unknown> {
  const value: unknown = JSON.parse(line.toString());
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('a message that is no object');
  return value as Record<string, unknown>;
}
