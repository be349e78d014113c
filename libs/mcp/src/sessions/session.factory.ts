import { Injectable } from '@nestjs/common';
import type { Caller } from '#libs/platform';
import { ToolCatalogue } from '../catalogue/tool-catalogue.js';
import type { ToolsetSelection } from '../catalogue/toolset-selection.js';
import { Dispatcher } from '../dispatch/dispatcher.js';
import { GatewayOptions } from '../gateway-options.js';
import type { SessionTransport } from '../transports/session-transport.js';
import { McpSession } from './mcp-session.js';

/** Puts a session together from what the product shares and what is its own. */
@Injectable()
export class SessionFactory {
  constructor(
    private readonly catalogue: ToolCatalogue,
    private readonly dispatcher: Dispatcher,
    private readonly options: GatewayOptions,
  ) {}

  make(caller: Caller, selection: ToolsetSelection, transport: SessionTransport): McpSession {
    return new McpSession({
      caller,
      view: this.catalogue.view(selection),
      transport,
      dispatcher: this.dispatcher,
      options: this.options,
    });
  }
}
