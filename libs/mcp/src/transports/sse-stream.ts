import type { ServerResponse } from 'node:http';

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
  /** Called once, however the stream ends. */
  onClose: () => void = () => undefined;
  /** Called before the stream is given up because its reader is too slow. */
  onTooSlow: () => void = () => undefined;

  constructor(private readonly response: ServerResponse, headers: Record<string, string> = {}) {
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      // nginx would hold events back (ngx_http_proxy_module, proxy_buffering).
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
    });
    response.flushHeaders();
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
  send(fields: { event?: string; id?: string; retry?: number; data: string }): boolean {
    const head = (fields.id === undefined ? '' : `id: ${fields.id}\n`) + (fields.event === undefined ? '' : `event: ${fields.event}\n`) + (fields.retry === undefined ? '' : `retry: ${fields.retry}\n`);
    return this.write(`${head}data: ${fields.data}\n\n`);
  }

  /** A comment, to keep proxies and clients from counting the connection as idle; doubles as a probe for dead peers. */
  keepAlive(now: number): void {
    if (this.stalledSince !== undefined && now - this.stalledSince > maxStallMs) this.giveUp();
    else this.write(': ka\n\n');
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.response.end();
  }

  destroy(): void {
    this.response.destroy();
  }

  private giveUp(): void {
    this.onTooSlow();
    this.destroy();
  }

  private write(frame: string): boolean {
    if (!this.open) return false;
    if (!this.response.write(frame)) this.stalledSince ??= Date.now();
    if (this.response.writableLength > maxUnreadBytes) this.giveUp();
    return this.open;
  }
}
