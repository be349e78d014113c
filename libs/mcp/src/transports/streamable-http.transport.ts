import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { isObject, isRequest, serialise, type RpcId, type RpcMessage } from '../dispatch/json-rpc.js';
import type { AuthenticatedRequest } from '../dispatch/authenticated-request.js';
import { Exchange } from './exchange.js';
import { SessionTransport } from './session-transport.js';
import { SseStream } from './sse-stream.js';
import type { StreamKeeper } from './stream-keeper.js';

const maxListeningStreams = 4;
const maxDetachedExchanges = 16;

/** A POST, and whose it is. */
export interface Post {
  request: IncomingMessage;
  response: ServerResponse;
  authenticated: AuthenticatedRequest;
}

/**
 * The Streamable HTTP transport with sessions (MCP 2025-03-26 to 2025-11-25, Transports). Every POSTed request is an Exchange that ends
 * with its answer; GET opens a stream for what belongs to no request, or resumes an exchange after Last-Event-ID.
 */
export class StreamableHttpTransport extends SessionTransport {
  readonly name = 'streamable-http';
  protected readonly fallbackVersion = undefined;
  private protocolVersion = '2025-03-26';
  private readonly exchanges = new Map<RpcId, Exchange>();
  /** Exchanges that were cut off, kept for a client that comes back, oldest first. */
  private readonly detached = new Map<string, Exchange>();
  private listening: SseStream[] = [];
  private exchangeCount = 0;

  constructor(
    sessionId: string,
    private readonly keeper: StreamKeeper,
  ) {
    super();
    this.sessionId = sessionId;
  }

  get connected(): boolean {
    return this.listening.some((stream) => stream.open) || this.exchanges.size > 0;
  }

  /** @throws RpcError -32600, AppError `rate_limited` */
  post({ request, response, authenticated }: Post, message: RpcMessage): void {
    if (!isRequest(message)) {
      this.receive(message, { authenticated });
      if ('method' in message && message.method === 'notifications/cancelled')
        this.dropCancelled(message.params?.requestId);
      response.writeHead(202, this.headers).end();
      return;
    }
    const exchange = new Exchange({
      key: `${(++this.exchangeCount).toString(36)}`,
      response,
      accept: request.headers.accept,
      headers: this.headers,
      primes: this.protocolVersion >= '2025-11-25' && message.method !== 'initialize',
      keeper: this.keeper,
    });
    const duplicate = this.inFlight.has(message.id);
    if (!duplicate) this.exchanges.set(message.id, exchange);
    try {
      this.receive(message, { authenticated, closeStream: () => this.detach(message.id) });
    } catch (error) {
      exchange.abandon();
      throw error;
    }
  }

  /** Opens a stream for server-initiated messages, or resumes an exchange. @returns false for an event id that cannot be resumed */
  listen(response: ServerResponse, lastEventId: string | undefined): boolean {
    if (lastEventId !== undefined) return this.resume(response, lastEventId);
    const stream = new SseStream(response, this.headers);
    this.keeper.add(stream);
    stream.onClose = () => {
      this.keeper.remove(stream);
      this.listening = this.listening.filter((other) => other !== stream);
    };
    // A half-dead older stream must not keep a client from listening again, so the oldest gives way.
    if (this.listening.length >= maxListeningStreams) this.listening.shift()?.end();
    this.listening.push(stream);
    return true;
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const answered = this.settle(message);
    const payload = serialise(message);
    if (answered !== undefined) {
      const exchange = this.exchanges.get(answered);
      this.exchanges.delete(answered);
      this.noteVersion(message);
      exchange?.answer(payload);
      return Promise.resolve();
    }
    const related = options?.relatedRequestId === undefined ? undefined : this.exchanges.get(options.relatedRequestId);
    if (related) related.write(payload);
    else this.listening.at(-1)?.send({ event: 'message', data: payload });
    return Promise.resolve();
  }

  protected closeStreams(): void {
    for (const exchange of this.exchanges.values()) exchange.abandon();
    this.exchanges.clear();
    this.detached.clear();
    for (const stream of this.listening.splice(0)) stream.end();
  }

  private get headers(): Record<string, string> {
    return { 'Mcp-Session-Id': this.sessionId };
  }

  private noteVersion(message: object): void {
    const { result } = message as { result?: unknown };
    if (isObject(result) && typeof result.protocolVersion === 'string' && isObject(result.serverInfo))
      this.protocolVersion = result.protocolVersion;
  }

  /** The protocol sends no answer to a cancelled request, but its HTTP request must still end. */
  private dropCancelled(requestId: unknown): void {
    const exchange = this.exchanges.get(requestId as RpcId);
    if (!exchange) return;
    this.exchanges.delete(requestId as RpcId);
    exchange.abandon();
  }

  private detach(id: RpcId): void {
    const exchange = this.exchanges.get(id);
    if (!exchange) return;
    exchange.detach();
    this.detached.set(exchange.key, exchange);
    const oldest = this.detached.keys().next().value;
    if (this.detached.size > maxDetachedExchanges && oldest !== undefined) this.detached.delete(oldest);
  }

  private resume(response: ServerResponse, lastEventId: string): boolean {
    const [key = '', index = ''] = lastEventId.split('-', 2);
    const exchange = this.detached.get(key) ?? [...this.exchanges.values()].find((running) => running.key === key);
    if (!exchange || !/^\d+$/.test(index)) return false;
    exchange.resume(response, Number(index));
    return true;
  }
}
