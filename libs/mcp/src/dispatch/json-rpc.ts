import { AppError, parseJson } from '#libs/platform';

/** JSON-RPC 2.0 codes, and the six of the host-factory specification ("Application-Specific Errors"). */
export const RpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Transport-level refusals (session, limits, access), as the SDK numbers them. */
  refused: -32000,
  sessionNotFound: -32001,
  unknownTool: 1001,
  toolFailed: 1002,
  unknownResource: 1003,
  resourceFailed: 1004,
  unknownPrompt: 1005,
  promptFailed: 1006,
} as const;

export type RpcId = string | number;
export type Params = Record<string, unknown>;
export interface RpcRequest {
  jsonrpc: '2.0';
  id: RpcId;
  method: string;
  params?: Params;
}
export interface RpcNotification {
  jsonrpc: '2.0';
  method: string;
  params?: Params;
}
export interface RpcResponse {
  jsonrpc: '2.0';
  id: RpcId;
  result?: object;
  error?: { code: number; message: string; data?: unknown };
}
export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

/** An error that reaches the client as a JSON-RPC error object. The SDK sends `code`, `message` and `data` as they are. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
    this.name = 'RpcError';
  }
}

export const isObject = (value: unknown): value is Params =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isId = (value: unknown): value is RpcId => typeof value === 'string' || Number.isSafeInteger(value);

export const isRequest = (message: RpcMessage): message is RpcRequest => 'method' in message && 'id' in message;
export const isResponse = (message: RpcMessage): message is RpcResponse => !('method' in message);

/**
 * Reads the envelope of one message. Params are checked later, because a request with bad params still gets its answer by id.
 * @throws RpcError -32700 or -32600, AppError `too_many_values`
 */
export function readMessage(text: string): RpcMessage {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new RpcError(RpcCode.parseError, 'Parse error: the body is not valid JSON');
  }
  if (Array.isArray(value)) throw invalidRequest('batches are not supported; send one message per request');
  if (!isObject(value)) throw invalidRequest('a message is a JSON object');
  if (value.jsonrpc !== '2.0') throw invalidRequest('"jsonrpc" must be "2.0"');
  if ('id' in value && !isId(value.id)) throw invalidRequest('"id" must be a string or a whole number');
  // Clients of JSON-RPC 1.0 say both, one of them null.
  if (value.error === null && 'result' in value) delete value.error;
  if ('method' in value) {
    if (typeof value.method !== 'string') throw invalidRequest('"method" must be a string');
    return value as unknown as RpcMessage;
  }
  if (!('id' in value) || 'result' in value === 'error' in value)
    throw invalidRequest('a message has a "method", or an "id" with one of "result" and "error"');
  return value as unknown as RpcResponse;
}

function invalidRequest(why: string): RpcError {
  return new RpcError(RpcCode.invalidRequest, `Invalid request: ${why}`);
}

/** A result that was serialised once for all callers, as the bytes that are sent; `serialise` puts them into the answer as they are. */
export class SerialisedResult {
  readonly bytes: Buffer;

  constructor(result: object) {
    this.bytes = Buffer.from(JSON.stringify(result));
  }

  toJSON(): unknown {
    return JSON.parse(this.bytes.toString());
  }
}

/** A message as it is sent: text, or text around bytes that were prepared. */
export type Payload = string | readonly [before: string, prepared: Buffer, after: string];

export function serialise(message: object): Payload {
  const { result, id } = message as { result?: unknown; id?: RpcId };
  return result instanceof SerialisedResult
    ? [`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`, result.bytes, '}']
    : JSON.stringify(message);
}

export function payloadBytes(payload: Payload): number {
  return typeof payload === 'string'
    ? Buffer.byteLength(payload)
    : Buffer.byteLength(payload[0]) + payload[1].length + Buffer.byteLength(payload[2]);
}
