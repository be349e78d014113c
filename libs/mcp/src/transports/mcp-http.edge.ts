import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import {
  AppError,
  BodyReader,
  bodyTooLarge,
  clip,
  errorMessage,
  Metrics,
  requestIdOf,
  requireJson,
  sendErrorBody,
  Settings,
  toAppError,
} from '#libs/platform';
import { isRequest, readMessage, RpcCode, RpcError, type RpcMessage } from '../dispatch/json-rpc.js';
import { supportedProtocolVersions } from '../dispatch/params.js';
import { refusalData } from '../dispatch/tool-refusal.js';
import type { AuthenticatedRequest } from '../dispatch/authenticated-request.js';
import type { McpSession } from '../sessions/mcp-session.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { RequestAuthenticator } from './request-authenticator.js';
import { SseTransport } from './sse.transport.js';
import { StreamKeeper } from './stream-keeper.js';
import { StreamableHttpTransport } from './streamable-http.transport.js';

const maxBodyBytes = 4 * 1024 * 1024;
/** What it says of the client stays in memory. */
const maxInitializeBytes = 64 * 1024;
const maxRefusedBytes = 16 * 1024;
const root = '/api/mcp';
/** Some clients make the messages URL by appending to the SSE one. */
const messagePaths = new Set([`${root}/messages`, `${root}/sse/messages`]);

type Endpoint = Partial<Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>>>;

/**
 * The HTTP edge of the gateway. It stands before Nest's routes: a message must not pay for what REST needs, and every refusal here is
 * JSON that an MCP client can parse.
 */
@Injectable()
export class McpHttpEdge {
  private readonly log = new Logger('McpEdge');
  private readonly messagesPath: string;
  private readonly latency;
  private readonly endpoints: Record<'sse' | 'messages' | 'streamable', Endpoint> = {
    sse: { GET: (request, response) => this.openSse(request, response) },
    messages: { POST: (request, response) => this.postMessage(request, response) },
    streamable: {
      GET: (request, response) => this.listen(request, response),
      POST: (request, response) => this.postStreamable(request, response),
      DELETE: (request, response) => this.deleteSession(request, response),
    },
  };

  constructor(
    private readonly settings: Settings,
    private readonly authenticator: RequestAuthenticator,
    private readonly sessions: SessionRegistry,
    private readonly keeper: StreamKeeper,
    private readonly bodies: BodyReader,
    metrics: Metrics,
  ) {
    this.messagesPath = `${new URL(settings.publicUrl).pathname.replace(/\/$/, '')}${root}/messages`;
    this.latency = metrics.histogram(
      'openfactory_mcp_post_seconds',
      'From a posted message to its HTTP answer',
      ['transport'],
      [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    );
  }

  /** @returns whether the request was the gateway's; the answer follows */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    // As Express does for REST: with a slash at its end an address is the same.
    const path = (request.url?.split('?', 1)[0] ?? '').replace(/\/$/, '');
    const endpoint = this.endpointOf(path);
    if (!endpoint) return false;
    const method = request.method ?? '';
    const action = Object.hasOwn(endpoint, method) ? endpoint[method] : undefined;
    if (!action) {
      this.refuse(request, response, methodNotAllowed(path, method), {
        status: 405,
        headers: { Allow: Object.keys(endpoint).join(', ') },
      });
      return true;
    }
    action(request, response).catch((error: unknown) => this.refuse(request, response, error));
    return true;
  }

  private endpointOf(path: string): Endpoint | undefined {
    if (path === root) return this.endpoints.streamable;
    if (path === `${root}/sse`) return this.endpoints.sse;
    return messagePaths.has(path) ? this.endpoints.messages : undefined;
  }

  private async openSse(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const caller = await this.authenticator.caller(request);
    const selection = this.authenticator.selection(request, caller);
    this.sessions.admit(caller);
    await this.sessions.open(
      caller,
      selection,
      new SseTransport(response, this.sessions.newId(), this.messagesPath, this.keeper),
    );
  }

  private async postMessage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const authenticated = await this.authenticator.authenticate(request);
    const session = this.sessions.find(queryParameter(request, 'sessionId'), authenticated.caller);
    if (!(session?.transport instanceof SseTransport)) throw sessionNotFound();
    try {
      const message = await this.readMessage(request, authenticated, maxBodyBytes);
      this.checkStillOpen(session);
      this.checkInFlight(session, message);
      session.transport.post(message, authenticated);
    } catch (error) {
      if (error instanceof RpcError) session.transport.report(error);
      throw error;
    }
    response.writeHead(202, { 'Content-Length': 8, 'Content-Type': 'text/plain' }).end('Accepted');
    this.latency.observe({ transport: 'sse' }, (performance.now() - started) / 1_000);
  }

  private async postStreamable(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const authenticated = await this.authenticator.authenticate(request);
    const sessionId = sessionHeader(request);
    // Before there is a session only initialize is taken, and that negotiates the version.
    if (sessionId !== undefined) this.checkProtocolVersion(request);
    const session = this.sessions.find(sessionId, authenticated.caller);
    if (sessionId !== undefined && !(session?.transport instanceof StreamableHttpTransport)) throw sessionNotFound();
    // Without a session only initialize is taken.
    const message = await this.readMessage(request, authenticated, session ? maxBodyBytes : maxInitializeBytes);
    const transport = session
      ? (session.transport as StreamableHttpTransport)
      : await this.initialise(request, authenticated, message);
    if (session) {
      this.checkStillOpen(session);
      if (isRequest(message) && message.method === 'initialize')
        throw new RpcError(
          RpcCode.invalidRequest,
          'Invalid request: this session is initialized already; leave out Mcp-Session-Id to open another',
        );
      this.checkInFlight(session, message);
    }
    transport.post({ request, response, authenticated }, message);
  }

  private async initialise(
    request: IncomingMessage,
    { caller, refusal }: AuthenticatedRequest,
    message: RpcMessage,
  ): Promise<StreamableHttpTransport> {
    if (refusal) throw refusal;
    if (!isRequest(message) || message.method !== 'initialize') {
      throw new RpcError(
        RpcCode.invalidRequest,
        'Invalid request: send initialize first, then its Mcp-Session-Id header with every request',
      );
    }
    const selection = this.authenticator.selection(request, caller);
    this.sessions.admit(caller);
    const transport = new StreamableHttpTransport(this.sessions.newId(), this.keeper);
    await this.sessions.open(caller, selection, transport);
    return transport;
  }

  private async listen(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = await this.streamableSession(request);
    const accept = request.headers.accept ?? '*/*';
    if (!/text\/event-stream|\*\/\*/.test(accept)) {
      this.refuse(
        request,
        response,
        new RpcError(RpcCode.refused, 'Not acceptable: the Accept header must include text/event-stream'),
        { status: 406 },
      );
      return;
    }
    const lastEventId = request.headers['last-event-id'];
    const listening = (session.transport as StreamableHttpTransport).listen(
      response,
      typeof lastEventId === 'string' ? lastEventId : undefined,
    );
    if (!listening)
      throw new RpcError(RpcCode.invalidRequest, 'Invalid request: the Last-Event-ID is not one that can be resumed');
  }

  private async deleteSession(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.sessions.end(await this.streamableSession(request), 'client');
    response.writeHead(200, { 'Content-Length': 0 }).end();
  }

  private async streamableSession(request: IncomingMessage): Promise<McpSession> {
    const caller = await this.authenticator.caller(request);
    this.checkProtocolVersion(request);
    const sessionId = sessionHeader(request);
    if (sessionId === undefined)
      throw new RpcError(RpcCode.invalidRequest, 'Invalid request: the Mcp-Session-Id header is missing');
    const session = this.sessions.find(sessionId, caller);
    if (!(session?.transport instanceof StreamableHttpTransport)) throw sessionNotFound();
    return session;
  }

  private async readMessage(
    request: IncomingMessage,
    { caller, refusal }: AuthenticatedRequest,
    limitBytes: number,
  ): Promise<RpcMessage> {
    requireJson(request);
    // Of who calls too often only what is short is read, to answer it by its id.
    if (refusal && !(Number(request.headers['content-length']) <= maxRefusedBytes)) throw refusal;
    const text = await this.bodies.read(request, caller.address, limitBytes).catch((error: unknown) => {
      throw error instanceof AppError && error.reason === 'malformed_json'
        ? new RpcError(RpcCode.parseError, `Parse error: ${error.message}`)
        : error;
    });
    const message = readMessage(text);
    if (isRequest(message) && message.method === 'initialize' && text.length > maxInitializeBytes)
      throw bodyTooLarge(maxInitializeBytes);
    return message;
  }

  /** A body may be sent slowly. What came with a key that was revoked meanwhile must not be run. */
  private checkStillOpen({ id, caller }: McpSession): void {
    if (!this.sessions.find(id, caller)) throw sessionNotFound();
  }

  private checkInFlight(session: McpSession, message: RpcMessage): void {
    const { mcpMaxInFlight } = this.settings;
    if (!isRequest(message) || session.transport.inFlight.size < mcpMaxInFlight) return;
    throw new AppError({
      kind: 'quota',
      reason: 'too_many_requests_in_flight',
      message: `This session has ${mcpMaxInFlight} requests running.`,
      hint: 'Wait for answers before you send more.',
      retryAfterSeconds: 1,
    });
  }

  private checkProtocolVersion(request: IncomingMessage): void {
    const version = request.headers['mcp-protocol-version'];
    if (version === undefined || supportedProtocolVersions.includes(String(version))) return;
    throw new RpcError(
      RpcCode.invalidRequest,
      `Invalid request: the protocol version "${clip(String(version))}" is not served; these are: ${supportedProtocolVersions.join(', ')}`,
    );
  }

  /** Every refusal of the edge: an HTTP status, and a JSON-RPC error body with id null. */
  private refuse(
    request: IncomingMessage,
    response: ServerResponse,
    thrown: unknown,
    more: { status?: number; headers?: Record<string, string> } = {},
  ): void {
    const error =
      thrown instanceof RpcError
        ? new AppError({ kind: 'invalid', reason: 'invalid_request', message: thrown.message })
        : toAppError(thrown);
    if (error.kind === 'internal')
      this.log.error(
        { err: error.cause, request_id: requestIdOf(request) },
        `The edge broke: ${errorMessage(error.cause)}`,
      );
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const rpc =
      thrown instanceof RpcError
        ? thrown
        : new RpcError(rpcCodeOf(error), error.message, { ...refusalData(error), request_id: requestIdOf(request) });
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: null,
      error: { code: rpc.code, message: rpc.message, ...(rpc.data !== undefined && { data: rpc.data }) },
    });
    sendErrorBody(request, response, error, { body, contentType: 'application/json; charset=utf-8', ...more });
  }
}

function rpcCodeOf({ kind, reason }: AppError): number {
  if (reason === 'session_not_found') return RpcCode.sessionNotFound;
  if (kind === 'too_large' || kind === 'too_slow' || kind === 'unsupported_media_type' || kind === 'invalid')
    return RpcCode.invalidRequest;
  return kind === 'internal' ? RpcCode.internalError : RpcCode.refused;
}

/** One body for an id nobody has and for somebody else's, so that ids cannot be probed; 404 makes clients open a new session. */
function sessionNotFound(): AppError {
  return new AppError({
    kind: 'not_found',
    reason: 'session_not_found',
    message: 'Session not found',
    hint: 'Open a new session.',
  });
}

function methodNotAllowed(path: string, method: string): RpcError {
  const hint = path.endsWith('/sse')
    ? 'this is the HTTP+SSE endpoint; Streamable HTTP is served at /api/mcp'
    : 'see the Allow header';
  return new RpcError(RpcCode.refused, `Method not allowed: ${clip(method)} (${hint})`);
}

function queryParameter(request: IncomingMessage, name: string): string | undefined {
  return new URLSearchParams(request.url?.split('?', 2)[1] ?? '').get(name) ?? undefined;
}

function sessionHeader(request: IncomingMessage): string | undefined {
  const value = request.headers['mcp-session-id'];
  return Array.isArray(value) ? value[0] : value;
}
