import { Injectable, Logger } from '@nestjs/common';
import {
  AppError,
  AuditLog,
  clip,
  errorMessage,
  Metrics,
  objectIdIn,
  parseInput,
  toAppError,
  type Caller,
} from '#libs/platform';
import { ToolReply, type CallContext } from '../catalogue/call-context.js';
import { PromptCatalogue } from '../catalogue/prompt.provider.js';
import { ResourceCatalogue } from '../catalogue/resource.provider.js';
import { ToolCatalogue, type CatalogueTool, type ToolView } from '../catalogue/tool-catalogue.js';
import { isObject, RpcCode, RpcError, type Params } from './json-rpc.js';
import { toolRefusal } from './tool-refusal.js';

/** Who calls, and what of the catalogue they see. */
export interface Dispatching {
  caller: Caller;
  view: ToolView;
  /** They call too often; a tool's answer is this. */
  refusal: AppError | undefined;
  context: CallContext;
}

type Method = (dispatching: Dispatching, params: Params) => Promise<object> | object;

/** The one dispatch under every transport: method and params in, result out, or an RpcError. Params were normalized before (params.ts). */
@Injectable()
export class Dispatcher {
  private readonly log = new Logger('Mcp');
  private readonly calls;
  private readonly methods: Record<string, Method> = {
    'tools/list': ({ view }, params) => this.onePage(params, view.list),
    'tools/call': (dispatching, params) =>
      this.callTool(dispatching, params.name as string, params.arguments as object),
    'resources/list': async ({ caller }, params) =>
      this.onePage(params, {
        resources: (await Promise.all(this.resources.all.map((provider) => provider.list(caller)))).flat(),
      }),
    'resources/templates/list': (_, params) =>
      this.onePage(params, { resourceTemplates: this.resources.all.flatMap((provider) => provider.templates()) }),
    'resources/read': (dispatching, params) => this.readResource(dispatching, params.uri as string),
    'prompts/list': (_, params) =>
      this.onePage(params, { prompts: this.prompts.all.map(({ definition }) => definition) }),
    'prompts/get': (dispatching, params) =>
      this.getPrompt(dispatching, params.name as string, params.arguments as Record<string, string>),
    'completion/complete': ({ caller }, params) => this.complete(caller, params),
  };

  constructor(
    private readonly resources: ResourceCatalogue,
    private readonly prompts: PromptCatalogue,
    private readonly catalogue: ToolCatalogue,
    private readonly audit: AuditLog,
    metrics: Metrics,
  ) {
    this.calls = metrics.counter('openfactory_mcp_tool_calls_total', 'Tool calls by outcome: ok, refused, failed', [
      'tool',
      'outcome',
    ]);
  }

  /** @throws RpcError */
  async dispatch(dispatching: Dispatching, method: string, params: Params): Promise<object> {
    const handler = Object.hasOwn(this.methods, method) ? this.methods[method] : undefined;
    if (!handler) throw new RpcError(RpcCode.methodNotFound, `Method not found: ${clip(method)}`);
    return await handler(dispatching, params);
  }

  private onePage(params: Params, list: object): object {
    if (params.cursor === undefined) return list;
    throw new RpcError(RpcCode.invalidParams, 'Invalid params: unknown cursor; the first page is the whole list');
  }

  private async callTool(dispatching: Dispatching, name: string, given: object): Promise<object> {
    const { caller, view, context, refusal } = dispatching;
    const tool = view.tools.get(name);
    if (!tool) {
      this.record(dispatching, name, { result: 'unknown_tool', objectOf: () => objectIdIn(given) });
      throw new RpcError(RpcCode.unknownTool, `Unknown tool: ${clip(name)}`, { tools: [...view.tools.keys()] });
    }
    try {
      if (refusal) throw refusal;
      const input = parseInput(tool.definition.input, given);
      const output = await tool.call(caller, input, context);
      const result = toolResult(tool, output);
      this.record(dispatching, name, {
        result: 'ok',
        objectOf: () => objectIdIn(output instanceof ToolReply ? output.structured : output) ?? objectIdIn(input),
      });
      this.calls.inc({ tool: name, outcome: 'ok' });
      return result;
    } catch (error) {
      this.record(dispatching, name, { result: toAppError(error).reason, objectOf: () => objectIdIn(given) });
      if (error instanceof AppError && error.fault === 'caller') {
        this.calls.inc({ tool: name, outcome: 'refused' });
        return toolRefusal(error);
      }
      this.calls.inc({ tool: name, outcome: 'failed' });
      throw this.broken(RpcCode.toolFailed, `The tool ${name} failed`, error, context);
    }
  }

  /** Calls of what may change something, also of tools that this session does not see. */
  private record(
    { caller, context }: Dispatching,
    tool: string,
    { result, objectOf }: { result: string; objectOf: () => string | undefined },
  ): void {
    if (this.catalogue.find(tool)?.definition.readOnly !== false) return;
    this.audit.record({
      caller,
      address: caller.address,
      edge: 'mcp',
      action: tool,
      object: objectOf(),
      result,
      requestId: context.requestId,
    });
  }

  private async readResource({ caller, context }: Dispatching, uri: string): Promise<object> {
    const contents = await this.attempt(RpcCode.resourceFailed, 'The resource could not be read', context, () =>
      this.resources.of(uri)?.read(caller, uri, context),
    );
    if (!contents) throw new RpcError(RpcCode.unknownResource, `Unknown resource: ${clip(uri, 200)}`);
    return { contents };
  }

  private async getPrompt(
    { caller, context }: Dispatching,
    name: string,
    values: Record<string, string>,
  ): Promise<object> {
    const prompt = this.prompts.find(name);
    if (!prompt)
      throw new RpcError(RpcCode.unknownPrompt, `Unknown prompt: ${clip(name)}`, {
        prompts: this.prompts.all.map(({ definition }) => definition.name),
      });
    const missing = (prompt.definition.arguments ?? [])
      .filter((argument) => argument.required && values[argument.name] === undefined)
      .map((argument) => argument.name);
    if (missing.length)
      throw new RpcError(RpcCode.invalidParams, `Invalid params: the prompt ${name} needs ${missing.join(', ')}`);
    return await this.attempt(RpcCode.promptFailed, `The prompt ${name} could not be made`, context, () =>
      prompt.get(caller, values, context),
    );
  }

  /** Completion of prompt arguments (MCP 2025-11-25, Completion); at most 100 values. */
  private async complete(caller: Caller, { ref, argument }: Params): Promise<object> {
    if (
      !isObject(ref) ||
      !isObject(argument) ||
      typeof argument.name !== 'string' ||
      typeof argument.value !== 'string'
    ) {
      throw new RpcError(
        RpcCode.invalidParams,
        'Invalid params: completion needs "ref" and "argument" with name and value',
      );
    }
    const prompt = ref.type === 'ref/prompt' && typeof ref.name === 'string' ? this.prompts.find(ref.name) : undefined;
    if (ref.type === 'ref/prompt' && !prompt)
      throw new RpcError(RpcCode.unknownPrompt, `Unknown prompt: ${clip(String(ref.name))}`);
    const values = (await prompt?.complete(caller, argument.name, argument.value)) ?? [];
    return { completion: { values: values.slice(0, 100), total: values.length, hasMore: values.length > 100 } };
  }

  private async attempt<T>(
    code: number,
    what: string,
    context: CallContext,
    work: () => Promise<T> | undefined,
  ): Promise<T> {
    try {
      return (await work()) as T;
    } catch (error) {
      if (error instanceof RpcError) throw error;
      throw this.broken(code, what, error, context);
    }
  }

  /** Our own fault: the client gets a request id, the stack stays in the log. */
  private broken(code: number, what: string, error: unknown, { requestId }: CallContext): RpcError {
    const mapped = toAppError(error);
    const known = mapped.kind === 'internal' && mapped !== error ? undefined : mapped;
    if (known) this.log.warn({ request_id: requestId, reason: known.reason }, `${what}: ${known.message}`);
    else this.log.error({ err: error, request_id: requestId }, `${what}: ${errorMessage(error)}`);
    const message = known
      ? `${what}: ${known.message}${known.hint ? ` ${known.hint}` : ''}`
      : `${what} unexpectedly. Try again; if it stays, tell your operator the request id.`;
    return new RpcError(code, message, {
      reason: known?.reason ?? 'internal_error',
      retryable: known?.retryable ?? false,
      request_id: requestId,
    });
  }
}

function toolResult({ definition }: CatalogueTool, output: unknown): object {
  if (output instanceof ToolReply)
    return { content: output.content, ...(output.structured && { structuredContent: output.structured }) };
  const structured = output ?? {};
  return {
    content: [{ type: 'text', text: JSON.stringify(structured) }],
    ...(definition.output && { structuredContent: structured }),
  };
}
