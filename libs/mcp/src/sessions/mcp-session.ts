import { createHash } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CancelledNotificationSchema,
  type JSONRPCMessage,
  type LoggingLevel,
  type Notification,
  type ServerCapabilities,
  type ServerNotification,
} from '@modelcontextprotocol/sdk/types.js';
import type { Caller } from '#libs/platform';
import type { ToolView } from '../catalogue/tool-catalogue.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import { RpcCode, RpcError, type Params, type RpcId, type RpcRequest, type RpcResponse } from '../dispatch/json-rpc.js';
import { rpcRefusal } from '../dispatch/tool-refusal.js';
import type { GatewayOptions } from '../gateway-options.js';
import { errorResponse, type Origin, type SessionTransport } from '../transports/session-transport.js';
import { levels, SessionCall, type CallSession } from './session-call.js';

/** As the specification lists them; logging and completions are ours in addition. */
const capabilities: ServerCapabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};
/** We never validate what clients elicit; without this the SDK builds an Ajv instance for every session. */
const noValidator = {
  getValidator: () => () => ({ valid: true as const, data: undefined as never, errorMessage: undefined }),
};
/** What the SDK's server answers. The rest need not go through its schemas: its envelope was checked (json-rpc.ts), its params were normalized (params.ts). */
const methodsOfProtocol = new Set(['initialize', 'ping']);
const maxSubscriptions = 1_000;

export interface SessionParts {
  caller: Caller;
  view: ToolView;
  transport: SessionTransport;
  dispatcher: Dispatcher;
  options: GatewayOptions;
}

/** One client's session: its caller, what it sees, and a protocol server of its own, so that no answer can reach anybody else. */
export class McpSession implements CallSession {
  readonly id: string;
  readonly caller: Caller;
  readonly transport: SessionTransport;
  readonly openedAt = Date.now();
  lastUsedAt = Date.now();
  readonly subscriptions = new Set<string>();
  readonly protocol: Server;
  logLevel: LoggingLevel = 'debug';
  private readonly calls = new Map<RpcId, SessionCall>();

  constructor(private readonly parts: SessionParts) {
    this.caller = parts.caller;
    this.transport = parts.transport;
    this.id = parts.transport.sessionId;
    this.protocol = new Server(parts.options.serverInfo, {
      capabilities,
      instructions: parts.options.instructions,
      jsonSchemaValidator: noValidator,
    });
    this.protocol.removeRequestHandler('logging/setLevel');
    this.protocol.setNotificationHandler(CancelledNotificationSchema, ({ params }) =>
      this.cancel(params.requestId, params.reason),
    );
    this.protocol.onclose = () => {
      for (const id of this.calls.keys()) this.cancel(id);
    };
  }

  /** What may be logged of the id: enough to follow one session, not enough to take it over. */
  get logId(): string {
    return createHash('sha256').update(this.id).digest('hex').slice(0, 10);
  }

  get busy(): boolean {
    return this.transport.inFlight.size > 0;
  }

  async start(): Promise<void> {
    this.transport.onrequest = (request, origin) => this.take(request, origin);
    await this.protocol.connect(this.transport);
  }

  async notify(notification: Notification): Promise<void> {
    await this.protocol.notification(notification as ServerNotification).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.protocol.close();
  }

  private take(request: RpcRequest, origin: Origin): boolean {
    if (methodsOfProtocol.has(request.method)) return false;
    const call = new SessionCall(this, request, origin);
    this.calls.set(request.id, call);
    void this.answer(call);
    return true;
  }

  private cancel(id: RpcId | undefined, reason?: unknown): void {
    if (id !== undefined) this.calls.get(id)?.cancel(reason);
  }

  private async answer(call: SessionCall): Promise<void> {
    const { id } = call.request;
    const message = await this.handle(call).then(
      (result): RpcResponse => ({ jsonrpc: '2.0', id, result }),
      (error: unknown): RpcResponse => errorResponse(id, error),
    );
    this.calls.delete(id);
    // A cancelled request gets no answer, so the transport would never see it end.
    if (call.isCancelled) this.transport.inFlight.delete(id);
    else this.send(message);
  }

  private send(message: RpcResponse): void {
    try {
      void this.transport.send(message as JSONRPCMessage);
    } catch (error) {
      // It cannot be written as JSON.
      void this.transport.send(errorResponse(message.id, error));
    }
  }

  private async handle(call: SessionCall): Promise<object> {
    const { method, params = {} } = call.request;
    const { refusal } = call.origin.authenticated;
    // A refused tool call is a result that a model can read.
    if (refusal && method !== 'tools/call') throw rpcRefusal(refusal);
    switch (method) {
      case 'logging/setLevel':
        return this.setLevel(params.level);
      case 'resources/subscribe':
        return await this.subscribe(params.uri as string, call);
      case 'resources/unsubscribe':
        this.subscriptions.delete(params.uri as string);
        return {};
      default:
        return await this.dispatch(call, method, params);
    }
  }

  private async dispatch(call: SessionCall, method: string, params: Params): Promise<object> {
    const { dispatcher, view } = this.parts;
    // Of this message: the same principal, perhaps from another address.
    const { caller, refusal } = call.origin.authenticated;
    return await dispatcher.dispatch({ caller, view, refusal, context: call }, method, params);
  }

  private setLevel(level: unknown): object {
    if (!levels.includes(level as LoggingLevel))
      throw new RpcError(RpcCode.invalidParams, `Invalid params: "level" must be one of ${levels.join(', ')}`);
    this.logLevel = level as LoggingLevel;
    return {};
  }

  /** Only what can be read can be subscribed to, so the rights are those of reading. */
  private async subscribe(uri: string, call: SessionCall): Promise<object> {
    if (this.subscriptions.size >= maxSubscriptions)
      throw new RpcError(
        RpcCode.invalidParams,
        `Invalid params: a session may subscribe to ${maxSubscriptions} resources`,
      );
    await this.dispatch(call, 'resources/read', { uri });
    this.subscriptions.add(uri);
    return {};
  }
}
