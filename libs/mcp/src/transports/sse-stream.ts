import type { ServerResponse } from 'node:http';
import { payloadBytes, type Payload } from '../dispatch/json-rpc.js';

/** Bytes that may wait for a slow reader before its stream is given up. */
export const maxUnreadBytes = 4 * 1024 * 1024;
const maxStallMs = 30_000;

/**
 * One open text/event-stream response (WHATWG HTML, Server-sent events) that never buffers without bound: a reader that lets more than
 * `maxUnreadBytes` pile up, or reads nothing for 30 s while something waits, loses its stream.
 */
export class SseStream {
  private stalledSince: number | undefined;
  private ended = false;
  private readonly isChunked: boolean;
  /** Called once, however the stream ends. */
  onClose: () => void = () => undefined;
  /** Called before the stream is given up because its reader is too slow. */
  onTooSlow: () => void = () => undefined;

  constructor(
    private readonly response: ServerResponse,
    headers: Record<string, string> = {},
  ) {
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      // nginx would hold events back (ngx_http_proxy_module, proxy_buffering).
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
    });
    response.flushHeaders();
    // What Node writes as a chunk is four pieces for the kernel (length, line end, data, line end); framed here it is one.
    this.isChunked = response.chunkedEncoding;
    response.chunkedEncoding = false;
    response.socket?.setNoDelay(true);
    response.socket?.setTimeout(0);
    response.on('drain', () => (this.stalledSince = undefined));
    response.on('error', () => this.destroy());
    response.on('close', () => {
      this.ended = true;
      this.onClose();
    });
  }

  get open(): boolean {
    return !this.ended && !this.response.destroyed;
  }

  /** @returns false if the stream is gone */
  send(fields: { event?: string; id?: string; retry?: number; data: Payload }): boolean {
    const head =
      (fields.id === undefined ? '' : `id: ${fields.id}\n`) +
      (fields.event === undefined ? '' : `event: ${fields.event}\n`) +
      (fields.retry === undefined ? '' : `retry: ${fields.retry}\n`);
    const { data } = fields;
    return this.write(
      typeof data === 'string' ? `${head}data: ${data}\n\n` : [`${head}data: ${data[0]}`, data[1], `${data[2]}\n\n`],
    );
  }

  /** A comment, to keep proxies and clients from counting the connection as idle; doubles as a probe for dead peers. */
  keepAlive(now: number): void {
    if (this.stalledSince !== undefined && now - this.stalledSince > maxStallMs) this.giveUp();
    else this.write(': ka\n\n');
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.isChunked) this.response.end('0\r\n\r\n');
    else this.response.end();
  }

  destroy(): void {
    this.response.destroy();
  }

  private giveUp(): void {
    this.onTooSlow();
    this.destroy();
  }

  private write(event: Payload): boolean {
    if (!this.open) return false;
    const frame = this.isChunked ? chunkOf(event) : event;
    const isTaken =
      typeof frame === 'string'
        ? this.response.write(frame)
        : frame.reduce((_, piece) => this.response.write(piece), true);
    if (!isTaken) this.stalledSince ??= Date.now();
    if (this.response.writableLength > maxUnreadBytes) this.giveUp();
    return this.open;
  }
}

/** RFC 9112, 7.1. */
function chunkOf(event: Payload): Payload {
  const length = payloadBytes(event).toString(16);
  return typeof event === 'string'
    ? `${length}\r\n${event}\r\n`
    : [`${length}\r\n${event[0]}`, event[1], `${event[2]}\r\n`];
}
