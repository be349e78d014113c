import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { schemaOf } from '#libs/platform';
import { SerialisedResult } from '../dispatch/json-rpc.js';
import { GatewayOptions } from '../gateway-options.js';
import { TOOL_METADATA, type ToolDefinition, type ToolHandler } from './tool.decorator.js';
import { toolInputSchema } from './tool-schema.js';
import type { ToolsetSelection } from './toolset-selection.js';

export interface CatalogueTool {
  definition: ToolDefinition;
  call: ToolHandler;
}

/** The part of the catalogue that one session sees; shared by all sessions with the same selection. */
export interface ToolView {
  tools: ReadonlyMap<string, CatalogueTool>;
  /** Answer of tools/list, serialised once. One page: some clients read no second one. */
  list: SerialisedResult;
}

/** Every tool of the product, found at start by its decorator. Names are unique, or the start fails. */
@Injectable()
export class ToolCatalogue implements OnModuleInit {
  private readonly tools = new Map<string, CatalogueTool>();
  private readonly views = new Map<string, ToolView>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly options: GatewayOptions,
  ) {}

  onModuleInit(): void {
    for (const { instance } of this.discovery.getProviders()) {
      if (!instance || typeof instance !== 'object') continue;
      const prototype = Object.getPrototypeOf(instance) as Record<string, ToolHandler>;
      for (const method of this.scanner.getAllMethodNames(prototype)) {
        const handler = prototype[method];
        const definition = handler && (Reflect.getMetadata(TOOL_METADATA, handler) as ToolDefinition | undefined);
        if (handler && definition)
          this.add({ definition, call: (caller, input, context) => handler.call(instance, caller, input, context) });
      }
    }
  }

  get all(): CatalogueTool[] {
    return [...this.tools.values()].sort((a, b) => this.order(a) - this.order(b));
  }

  /** Whoever may use it. */
  find(name: string): CatalogueTool | undefined {
    return this.tools.get(name);
  }

  view({ toolsets, readOnly }: ToolsetSelection): ToolView {
    const key = `${readOnly ? 'r' : 'w'}:${toolsets ? [...new Set(toolsets)].sort().join(',') : '*'}`;
    let view = this.views.get(key);
    if (!view) {
      const seen = this.all.filter(
        ({ definition }) => (!toolsets || toolsets.includes(definition.toolset)) && (!readOnly || definition.readOnly),
      );
      view = {
        tools: new Map(seen.map((tool) => [tool.definition.name, tool])),
        list: new SerialisedResult({ tools: seen.map(({ definition }) => toolListing(definition)) }),
      };
      this.views.set(key, view);
    }
    return view;
  }

  private add(tool: CatalogueTool): void {
    const { name, toolset } = tool.definition;
    if (this.tools.has(name)) throw new Error(`Two methods claim the MCP tool ${name}; rename one.`);
    if (!this.options.toolsets.includes(toolset))
      throw new Error(`The MCP tool ${name} is in the toolset "${toolset}", which the product does not declare.`);
    this.tools.set(name, tool);
  }

  /** Deterministic: by toolset in the product's order, then as declared. */
  private order({ definition }: CatalogueTool): number {
    return this.options.toolsets.indexOf(definition.toolset);
  }
}

/** The entry of tools/list (MCP 2025-11-25, Tool). */
export function toolListing({
  name,
  title,
  description,
  input,
  output,
  readOnly,
  destructive = false,
  idempotent = false,
  openWorld = false,
}: ToolDefinition): object {
  return {
    name,
    title,
    description,
    inputSchema: toolInputSchema(schemaOf(input)),
    ...(output && { outputSchema: { ...schemaOf(output), type: 'object' } }),
    annotations: {
      title,
      readOnlyHint: readOnly,
      destructiveHint: destructive,
      idempotentHint: readOnly || idempotent,
      openWorldHint: openWorld,
    },
  };
}
