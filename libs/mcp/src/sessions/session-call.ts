import { randomUUID } from 'node:crypto';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  ErrorCode,
  LoggingLevelSchema,
  McpError,
  ResultSchema,
  type LoggingLevel,
  type ServerNotification,
} from '@modelcontextprotocol/sdk/types.js';
import type { CallContext, ClientPeer } from '../catalogue/call-context.js';
import { isObject, type Params, type RpcRequest } from '../dispatch/json-rpc.js';
import type { Origin } from '../transports/session-transport.js';

export const levels = LoggingLevelSchema.options;

/** What of its session a call needs. */
export interface CallSession {
  /** Sends what is no answer. */
  readonly protocol: Server;
  readonly logLevel: LoggingLevel;
}

/** One request of a session while it is worked on. Most handlers ask for little of it, so what costs something is made when it is asked for. */
export class SessionCall implements CallContext {
  #ended: { reason: unknown } | undefined;
  #controller: AbortController | undefined;
  #requestId: string | undefined;

  constructor(
    private readonly session: CallSession,
    readonly request: RpcRequest,
    readonly origin: Origin,
  ) {}

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended) this.#controller.abort(this.#ended.reason);
    return this.#controller.signal;
  }

  get requestId(): string {
    return (this.#requestId ??= randomUUID());
  }

  get isCancelled(): boolean {
    return this.#ended !== undefined;
  }

  /** Nothing more is said of it. */
  cancel(reason?: unknown): void {
    this.#ended ??= { reason };
    this.#controller?.abort(reason);
  }

  async progress(progress: number, total?: number, message?: string): Promise<void> {
    const meta = this.request.params?._meta;
    const progressToken = isObject(meta) ? meta.progressToken : undefined;
    if (progressToken === undefined) return;
    await this.#say({
      method: 'notifications/progress',
      params: {
        progressToken: progressToken as string | number,
        progress,
        ...(total !== undefined && { total }),
        ...(message !== undefined && { message }),
      },
    });
  }

  async log(level: LoggingLevel, data: unknown): Promise<void> {
    if (levels.indexOf(level) < levels.indexOf(this.session.logLevel)) return;
    await this.#say({ method: 'notifications/message', params: { level, logger: 'openfactory', data } });
  }

  get peer(): ClientPeer {
    return {
      request: async (method, params) => await this.#ask(method, params),
      closeStream: () => this.origin.closeStream?.(),
    };
  }

  async #say(notification: ServerNotification): Promise<void> {
    if (!this.isCancelled)
      await this.session.protocol.notification(notification, { relatedRequestId: this.request.id });
  }

  async #ask(method: string, params: Params): Promise<Record<string, unknown>> {
    if (this.isCancelled) throw new McpError(ErrorCode.ConnectionClosed, 'Request was cancelled');
    return await this.session.protocol.request({ method, params }, ResultSchema, { relatedRequestId: this.request.id });
  }
}
