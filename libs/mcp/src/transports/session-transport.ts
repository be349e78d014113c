import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage, MessageExtraInfo } from '@modelcontextprotocol/sdk/types.js';
import type { AuthenticatedRequest } from '../dispatch/authenticated-request.js';
import { normalizeNotification, normalizeRequest } from '../dispatch/params.js';
import {
  isRequest,
  RpcCode,
  RpcError,
  type RpcId,
  type RpcMessage,
  type RpcRequest,
  type RpcResponse,
} from '../dispatch/json-rpc.js';

/** What the transport knows of a request beside what it says. */
export interface Origin {
  authenticated: AuthenticatedRequest;
  /** Ends the stream of its answer; the client comes back for it. */
  closeStream?: () => void;
}

/** What both HTTP transports have in common: messages are normalized and counted before the SDK sees them. */
export abstract class SessionTransport implements Transport {
  sessionId: string;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage, extra?: MessageExtraInfo) => void;
  /** Takes the requests that the session answers itself; what it does not take goes to `onmessage`. */
  onrequest?: (request: RpcRequest, origin: Origin) => boolean;
  /** Ids of requests that are being worked on. */
  readonly inFlight = new Set<RpcId>();
  abstract readonly name: 'sse' | 'streamable-http' | 'stateless';
  /** What a client of an unknown protocol revision is offered; undefined: the SDK's latest. */
  protected abstract readonly fallbackVersion: string | undefined;
  private closed = false;

  abstract send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void>;
  /** Whether a stream to the client is open, so that the session is not idle. */
  abstract get connected(): boolean;
  protected abstract closeStreams(): void;

  start(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (!this.closed) {
      this.closed = true;
      this.closeStreams();
      this.inFlight.clear();
      this.onclose?.();
    }
    return Promise.resolve();
  }

  /**
   * Hands a message to the protocol, with whose it is. A request whose params cannot be normalized is answered here, by id.
   * @throws RpcError -32600 for an id that is in use, AppError `rate_limited` for what has no answer that could tell it
   */
  protected receive(message: RpcMessage, origin: Origin): void {
    if (!isRequest(message)) {
      if (origin.authenticated.refusal) throw origin.authenticated.refusal;
      const normalized = normalizeNotification(message);
      if (normalized) this.onmessage?.(normalized as JSONRPCMessage);
      return;
    }
    if (this.inFlight.has(message.id))
      throw new RpcError(RpcCode.invalidRequest, 'Invalid request: a request with this id is still running');
    this.inFlight.add(message.id);
    try {
      const normalized = normalizeRequest(message, this.fallbackVersion);
      if (!this.onrequest?.(normalized, origin)) this.onmessage?.(normalized);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      void this.send(errorResponse(message.id, error));
    }
  }

  /** To be called with every message sent. @returns the response's id, if it is one */
  protected settle(message: JSONRPCMessage): RpcId | undefined {
    if ('method' in message || !('id' in message)) return undefined;
    const { id } = message as RpcResponse;
    this.inFlight.delete(id);
    return id;
  }
}

/** What was thrown for a request, as its answer; what is no JSON-RPC error is an internal one. */
export function errorResponse<Id extends RpcId | null>(
  id: Id,
  thrown: unknown,
): { jsonrpc: '2.0'; id: Id; error: { code: number; message: string; data?: unknown } } {
  const { code, message, data } = thrown as Partial<RpcError>;
  return {
    jsonrpc: '2.0',
    id,
    error: {
      code: Number.isSafeInteger(code) ? (code as number) : RpcCode.internalError,
      message: message ?? 'Internal error',
      ...(data !== undefined && { data }),
    },
  };
}
