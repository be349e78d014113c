import { createHash, randomUUID } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { LoggingLevelSchema, ResultSchema, type LoggingLevel, type Notification, type Request, type ServerCapabilities, type ServerNotification, type ServerRequest } from '@modelcontextprotocol/sdk/types.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { Caller } from '#libs/platform';
import type { CallContext } from '../catalogue/call-context.js';
import type { ToolView } from '../catalogue/tool-catalogue.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import { RpcCode, RpcError, type Params } from '../dispatch/json-rpc.js';
import { rpcRefusal } from '../dispatch/tool-refusal.js';
import { visitOf } from '../dispatch/visit.js';
import type { GatewayOptions } from '../gateway-options.js';
import type { SessionTransport } from '../transports/session-transport.js';

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** As the specification lists them; logging and completions are ours in addition. */
const capabilities: ServerCapabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};
/** We never validate what clients elicit; without this the SDK builds an Ajv instance for every session. */
const noValidator = { getValidator: () => () => ({ valid: true as const, data: undefined as never, errorMessage: undefined }) };
const levels = LoggingLevelSchema.options;
const maxSubscriptions = 1_000;

export interface SessionParts {
  caller: Caller;
  view: ToolView;
  transport: SessionTransport;
  dispatcher: Dispatcher;
  options: GatewayOptions;
}

/** One client's session: its caller, what it sees, and a protocol server of its own, so that no answer can reach anybody else. */
export class McpSession {
  readonly id: string;
  readonly caller: Caller;
  readonly transport: SessionTransport;
  readonly openedAt = Date.now();
  lastUsedAt = Date.now();
  readonly subscriptions = new Set<string>();
  private readonly server: Server;
  private logLevel: LoggingLevel = 'debug';

  constructor(private readonly parts: SessionParts) {
    this.caller = parts.caller;
    this.transport = parts.transport;
    this.id = parts.transport.sessionId;
    this.server = new Server(parts.options.serverInfo, { capabilities, instructions: parts.options.instructions, jsonSchemaValidator: noValidator });
    this.server.removeRequestHandler('logging/setLevel');
    this.server.fallbackRequestHandler = async (request, extra) => {
      try {
        return await this.handle(request, extra);
      } finally {
        // A cancelled request gets no answer, so the transport would never see it end.
        this.transport.inFlight.delete(extra.requestId);
      }
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
    await this.server.connect(this.transport);
  }

  async notify(notification: Notification): Promise<void> {
    await this.server.notification(notification as ServerNotification).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.server.close();
  }

  private async handle(request: Request, extra: Extra): Promise<object> {
    const params = (request.params ?? {}) as Params;
    const refusal = visitOf(extra.authInfo)?.refusal;
    // A refused tool call is a result that a model can read.
    if (refusal && request.method !== 'tools/call') throw rpcRefusal(refusal);
    switch (request.method) {
      case 'logging/setLevel':
        return this.setLevel(params.level);
      case 'resources/subscribe':
        return await this.subscribe(params.uri as string, extra);
      case 'resources/unsubscribe':
        this.subscriptions.delete(params.uri as string);
        return {};
      default:
        return await this.dispatch(request.method, params, extra);
    }
  }

  private async dispatch(method: string, params: Params, extra: Extra): Promise<object> {
    const { dispatcher, view } = this.parts;
    // Of this message: the same principal, perhaps from another address.
    const { caller, refusal } = visitOf(extra.authInfo) ?? { caller: this.caller, refusal: undefined };
    return await dispatcher.dispatch({ caller, view, refusal, context: this.contextOf(extra) }, method, params);
  }

  private setLevel(level: unknown): object {
    if (!levels.includes(level as LoggingLevel)) throw new RpcError(RpcCode.invalidParams, `Invalid params: "level" must be one of ${levels.join(', ')}`);
    this.logLevel = level as LoggingLevel;
    return {};
  }

  /** Only what can be read can be subscribed to, so the rights are those of reading. */
  private async subscribe(uri: string, extra: Extra): Promise<object> {
    if (this.subscriptions.size >= maxSubscriptions) throw new RpcError(RpcCode.invalidParams, `Invalid params: a session may subscribe to ${maxSubscriptions} resources`);
    await this.dispatch('resources/read', { uri }, extra);
    this.subscriptions.add(uri);
    return {};
  }

  private contextOf(extra: Extra): CallContext {
    const progressToken = extra._meta?.progressToken;
    return {
      signal: extra.signal,
      requestId: randomUUID(),
      progress: async (progress, total, message) => {
        if (progressToken === undefined) return;
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, ...(total !== undefined && { total }), ...(message !== undefined && { message }) } });
      },
      log: async (level, data) => {
        if (levels.indexOf(level) < levels.indexOf(this.logLevel)) return;
        await extra.sendNotification({ method: 'notifications/message', params: { level, logger: 'openfactory', data } });
      },
      peer: {
        request: async (method, params) => await extra.sendRequest({ method, params } as ServerRequest, ResultSchema),
        closeStream: () => extra.closeSSEStream?.(),
      },
    };
  }
}
