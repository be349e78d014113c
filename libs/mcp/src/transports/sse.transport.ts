import type { ServerResponse } from 'node:http';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { serialise, type RpcError, type RpcMessage } from '../dispatch/json-rpc.js';
import { sseProtocolVersion } from '../dispatch/params.js';
import type { AuthenticatedRequest } from '../dispatch/authenticated-request.js';
import { errorResponse, SessionTransport } from './session-transport.js';
import { SseStream } from './sse-stream.js';
import type { StreamKeeper } from './stream-keeper.js';

/**
 * The HTTP+SSE transport (MCP 2024-11-05, Transports): one stream per session for everything the server says, POSTs for what the client
 * says. A client that lost its stream opens a new session and goes on without initialize, so calls are accepted at once.
 */
export class SseTransport extends SessionTransport {
  readonly name = 'sse';
  protected readonly fallbackVersion = sseProtocolVersion;
  private readonly stream: SseStream;

  constructor(response: ServerResponse, sessionId: string, messagesPath: string, keeper: StreamKeeper) {
    super();
    this.sessionId = sessionId;
    this.stream = new SseStream(response);
    this.stream.onClose = () => {
      keeper.remove(this.stream);
      void this.close();
    };
    keeper.add(this.stream);
    // Clients reconnect after `retry`; the jitter keeps a restarted factory from meeting all of them at once.
    this.stream.send({
      event: 'endpoint',
      retry: 1_000 + Math.floor(Math.random() * 1_000),
      data: `${messagesPath}?sessionId=${sessionId}`,
    });
  }

  get connected(): boolean {
    return this.stream.open;
  }

  /** @throws RpcError -32600, AppError `rate_limited` */
  post(message: RpcMessage, authenticated: AuthenticatedRequest): void {
    this.receive(message, { authenticated });
  }

  /** Tells the stream, too, what was wrong with a message, since some clients look nowhere else. */
  report(error: RpcError): void {
    this.stream.send({ event: 'message', data: JSON.stringify(errorResponse(null, error)) });
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.settle(message);
    this.stream.send({ event: 'message', data: serialise(message) });
    return Promise.resolve();
  }

  protected closeStreams(): void {
    this.stream.end();
  }
}
