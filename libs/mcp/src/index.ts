export { Tool, type ToolDefinition } from './catalogue/tool.decorator.js';
export { ToolReply, type CallContext, type ClientPeer } from './catalogue/call-context.js';
