import type { ContentBlock, LoggingLevel } from '@modelcontextprotocol/sdk/types.js';

/** What a handler may use while it runs. */
export interface CallContext {
  /** Aborts when the client cancels, its session ends, its key is revoked, or the factory stops. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** Sends a progress notification if the client asked for them (a progressToken); otherwise does nothing. `total` in the unit of `progress`. */
  progress(progress: number, total?: number, message?: string): Promise<void>;
  /** Sends a log message to the client, if its logging level lets it through. */
  log(level: LoggingLevel, data: unknown): Promise<void>;
  /** The session the call came by; undefined on a transport without sessions. */
  readonly peer: ClientPeer | undefined;
}

/** Requests a server may make of its client, where the transport has a way back. */
export interface ClientPeer {
  request(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Ends the stream of this call; the client comes back for the answer (SSE polling, 2025-11-25). */
  closeStream(): void;
}

/** An answer with content beyond structured data, such as a screenshot. `structured`, if given, must fit the tool's output DTO. */
export class ToolReply {
  constructor(
    readonly content: ContentBlock[],
    readonly structured?: object,
  ) {}
}
