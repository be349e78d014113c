import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientLine, JsonObject } from './client-line.js';
import { messagesOf, NotMcp, type FactoryMessage } from './factory-answer.js';

/** RpcCode.sessionNotFound of the gateway. */
const sessionNotFound = /"code":\s*-32001\b/;
const listenAgainAfterMs = 1_000;

export interface FactorySessionOptions {
  endpoint: string;
  headers: Record<string, string>;
  signal: AbortSignal;
  /** Takes what the factory says without being asked. */
  heard: (message: FactoryMessage) => void;
  note: (text: string) => void;
}

/**
 * The client's session at the factory. One that the factory no longer knows (it was restarted) is opened again, with the client's own
 * initialize, without the client noticing.
 */
export class FactorySession {
  private id: string | undefined;
  private protocolVersion: string | undefined;
  private initialize: ClientLine | undefined;
  private reopening: Promise<void> | undefined;

  constructor(private readonly options: FactorySessionOptions) {}

  async post(line: ClientLine): Promise<Response> {
    if (line.isInitialize) {
      this.initialize = line;
      this.id = undefined;
      this.protocolVersion = undefined;
      return await this.open(line);
    }
    await this.reopening;
    const response = await this.fetch({ method: 'POST', body: line.text });
    if (response.status !== 404 || !this.initialize) return response;
    // Looked into, since whatever else stands at an address answers 404, too.
    const text = await response.text();
    if (!sessionNotFound.test(text))
      return new Response(text, { status: 404, statusText: response.statusText, headers: response.headers });
    await this.reopen(this.initialize);
    return await this.fetch({ method: 'POST', body: line.text });
  }

  /** Goes on with the answer of a request whose stream broke. */
  async resume(lastEventId: string): Promise<Response> {
    return await this.fetch({ method: 'GET', headers: { accept: 'text/event-stream', 'last-event-id': lastEventId } });
  }

  /** To be told of the answer to initialize. */
  opened({ result }: JsonObject): void {
    const version = (result as { protocolVersion?: unknown } | undefined)?.protocolVersion;
    this.protocolVersion = typeof version === 'string' ? version : undefined;
    if (this.id !== undefined) void this.listen(this.id);
  }

  async end(): Promise<void> {
    if (this.id) await this.fetch({ method: 'DELETE', signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    this.id = undefined;
  }

  private async open(line: ClientLine): Promise<Response> {
    const response = await this.fetch({ method: 'POST', body: line.text });
    this.id = response.ok ? (response.headers.get('mcp-session-id') ?? undefined) : undefined;
    return response;
  }

  /** One at a time, whoever noticed the loss first. */
  private async reopen(line: ClientLine): Promise<void> {
    this.reopening ??= (async () => {
      this.id = undefined;
      this.protocolVersion = undefined;
      for await (const { message } of messagesOf(await this.open(line))) {
        if ('result' in message) this.opened(message);
        else if ('error' in message)
          throw new NotMcp(`It forgot the session and opens no other: ${JSON.stringify(message.error)}`, 404);
      }
      const ready = await this.fetch({
        method: 'POST',
        body: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
      });
      await ready.body?.cancel();
    })().finally(() => (this.reopening = undefined));
    await this.reopening;
  }

  /** Messages that answer no request (list changes, resource updates) come on a stream of their own; it is opened again when it ends. */
  private async listen(id: string): Promise<void> {
    while (!this.options.signal.aborted && this.id === id) {
      try {
        const response = await this.fetch({ method: 'GET', headers: { accept: 'text/event-stream' } });
        if (!response.ok) return await response.body?.cancel();
        for await (const message of messagesOf(response)) this.options.heard(message);
      } catch (error) {
        if (error instanceof NotMcp) return this.options.note(error.message);
        // The factory is away; the next try, or the next request, finds out whether it is back.
      }
      await sleep(listenAgainAfterMs, undefined, { ref: false });
    }
  }

  private async fetch({
    method,
    body,
    headers,
    signal,
  }: {
    method: string;
    body?: string;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  }): Promise<Response> {
    return await fetch(this.options.endpoint, {
      method,
      // Elsewhere a POST would arrive as a GET, and the key would be left out.
      redirect: 'manual',
      signal: signal ?? this.options.signal,
      headers: {
        ...this.options.headers,
        accept: 'application/json, text/event-stream',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(this.id && { 'mcp-session-id': this.id }),
        ...(this.protocolVersion && { 'mcp-protocol-version': this.protocolVersion }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    });
  }
}
