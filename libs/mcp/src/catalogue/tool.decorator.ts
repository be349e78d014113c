import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { Caller, DtoClass } from '#libs/platform';
import type { CallContext } from './call-context.js';

export const TOOL_METADATA = 'openfactory:mcp-tool';

export interface ToolDefinition {
  /** snake_case, unique in the product. */
  name: string;
  title: string;
  /** What it does, when to use it, what it returns, what to call next. */
  description: string;
  toolset: string;
  input: DtoClass;
  /** Shape of `structuredContent`; left out by tools that answer with pictures only. */
  output?: DtoClass;
  /** Changes nothing. Only such tools are left in a read-only session. */
  readOnly: boolean;
  /** May destroy or overwrite something of the caller's. */
  destructive?: boolean;
  /** The same call twice has the effect of one. */
  idempotent?: boolean;
  /** Talks to systems outside the factory. */
  openWorld?: boolean;
}

export type ToolHandler = (caller: Caller, input: object, context: CallContext) => Promise<unknown>;

/**
 * Makes a method `(caller, input, context) => Promise<Output>` of a provider an MCP tool. The gateway has validated `input` as an
 * instance of the input DTO. A refusal is an AppError; anything else that is thrown counts as our own fault.
 */
export const Tool = (definition: ToolDefinition): CustomDecorator => SetMetadata(TOOL_METADATA, definition);
