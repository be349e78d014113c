import {
  InitializeRequestSchema,
  JSONRPCRequestSchema,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/sdk/types.js';
import { clip } from '#libs/platform';
import {
  isObject,
  isResponse,
  RpcCode,
  RpcError,
  type Params,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
} from './json-rpc.js';

/** The revision that the HTTP+SSE transport belongs to: what a client of an unknown revision is offered there. */
export const sseProtocolVersion = '2024-11-05';
export const supportedProtocolVersions: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;

/**
 * Mends what well-meaning clients send and the SDK's strict schemas would answer with -32603: initialize without capabilities or
 * clientInfo (the specification's own example), prompt arguments that are numbers (likewise), task augmentation of a server without
 * tasks (to be ignored: MCP 2025-11-25, Tasks).
 * @throws RpcError -32602 for params that cannot be normalized
 */
export function normalizeRequest(request: RpcRequest, fallbackVersion: string | undefined): RpcRequest {
  const given = request.params ?? {};
  if (!isObject(given)) throw new RpcError(RpcCode.invalidParams, 'Invalid params: "params" must be an object');
  const params = mendParams(request.method, withoutNulls(given), fallbackVersion);
  const normalized: RpcRequest = { jsonrpc: '2.0', id: request.id, method: request.method, params };
  if (params._meta !== undefined && !JSONRPCRequestSchema.safeParse(normalized).success) {
    throw new RpcError(
      RpcCode.invalidParams,
      'Invalid params: "_meta" must be an object, and its progressToken a string or a whole number',
    );
  }
  return normalized;
}

/** What is no request: answers as they are, notifications without nulls. @returns undefined for a malformed notification, which has nobody to tell */
export function normalizeNotification(
  message: RpcNotification | RpcResponse,
): RpcNotification | RpcResponse | undefined {
  if (isResponse(message)) return message;
  const { params, ...rest } = message;
  if (params === undefined || params === null) return rest;
  return isObject(params) ? { ...rest, params: withoutNulls(params) } : undefined;
}

function mendParams(method: string, { task: _task, ...params }: Params, fallbackVersion: string | undefined): Params {
  switch (method) {
    case 'initialize':
      return mendInitialize(params, fallbackVersion);
    case 'tools/call':
      requireText(params, 'name', method);
      if (params.arguments === undefined) return { ...params, arguments: {} };
      if (!isObject(params.arguments))
        throw new RpcError(RpcCode.invalidParams, 'Invalid params: "arguments" must be an object');
      return params;
    case 'prompts/get':
      requireText(params, 'name', method);
      return { ...params, arguments: promptArguments(params.arguments ?? {}) };
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      requireText(params, 'uri', method);
      return params;
    default:
      return params;
  }
}

/** Levels below params on which the protocol has optional members (`capabilities.elicitation.url`). */
const protocolLevels = 4;

/**
 * Null is what many languages send for what was left out. Arguments of tools are left as they are: their own schemas say what null means
 * (input.ts), and that of a recipe's merge patch is to remove.
 */
function withoutNulls(params: Params, levels = protocolLevels): Params {
  const given = Object.entries(params).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([name, value]) => [
      name,
      isObject(value) && levels > 1 && name !== 'arguments' ? withoutNulls(value, levels - 1) : value,
    ]),
  );
}

/** Of what a client says of itself. */
const longestName = 200;

function mendInitialize(params: Params, fallbackVersion: string | undefined): Params {
  const { protocolVersion } = params;
  if (typeof protocolVersion !== 'string')
    throw new RpcError(RpcCode.invalidParams, 'Invalid params: "protocolVersion" must be a string');
  const normalized: Params = {
    ...params,
    capabilities: params.capabilities ?? {},
    clientInfo: isObject(params.clientInfo)
      ? { ...params.clientInfo, name: params.clientInfo.name ?? 'unknown', version: params.clientInfo.version ?? '0' }
      : (params.clientInfo ?? { name: 'unknown', version: '0' }),
    protocolVersion: supportedProtocolVersions.includes(protocolVersion)
      ? protocolVersion
      : (fallbackVersion ?? protocolVersion),
  };
  const checked = InitializeRequestSchema.safeParse({ method: 'initialize', params: normalized });
  if (checked.success) return knownOfInitialize(normalized);
  const issue = checked.error.issues[0];
  throw new RpcError(
    RpcCode.invalidParams,
    `Invalid params: ${issue ? `"${clip(issue.path.slice(1).join('.'))}" ${clip(issue.message, longestName)}` : 'initialize does not fit its schema'}`,
  );
}

/** Members of capabilities that the specification gives clients (MCP 2025-11-25, schema: ClientCapabilities), and theirs. */
const clientCapabilities: Record<string, readonly string[]> = {
  roots: ['listChanged'],
  sampling: ['context', 'tools'],
  elicitation: ['form', 'url'],
};

/** A session keeps what its client says of itself for as long as it is open: no more than is known, and no longer than names are. */
function knownOfInitialize({ protocolVersion, capabilities, clientInfo, _meta }: Params): Params {
  const given = capabilities as Params;
  const { name, version, title } = clientInfo as Params;
  return {
    protocolVersion: clip(protocolVersion as string, longestName),
    capabilities: Object.fromEntries(
      Object.entries(clientCapabilities).flatMap(([capability, members]) =>
        isObject(given[capability]) ? [[capability, flagsOf(given[capability], members)]] : [],
      ),
    ),
    clientInfo: {
      name: clip(name as string, longestName),
      version: clip(version as string, longestName),
      ...(typeof title === 'string' && { title: clip(title, longestName) }),
    },
    ...(_meta !== undefined && { _meta }),
  };
}

function flagsOf(capability: Params, members: readonly string[]): Params {
  return Object.fromEntries(
    members.flatMap((member) =>
      capability[member] === undefined ? [] : [[member, isObject(capability[member]) ? {} : capability[member]]],
    ),
  );
}

function requireText(params: Params, name: string, method: string): void {
  if (typeof params[name] === 'string' && params[name] !== '') return;
  throw new RpcError(RpcCode.invalidParams, `Invalid params: ${method} needs "${name}", a string`);
}

/** Prompt arguments are strings by the specification; numbers and booleans are what models send. */
function promptArguments(given: unknown): Record<string, string> {
  if (!isObject(given)) throw new RpcError(RpcCode.invalidParams, 'Invalid params: "arguments" must be an object');
  return Object.fromEntries(
    Object.entries(withoutNulls(given, 1)).map(([name, value]) => {
      if (typeof value === 'string') return [name, value];
      if (typeof value === 'number' || typeof value === 'boolean') return [name, String(value)];
      throw new RpcError(RpcCode.invalidParams, `Invalid params: the prompt argument "${clip(name)}" must be a string`);
    }),
  );
}
