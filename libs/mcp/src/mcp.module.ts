import { Module, type BeforeApplicationShutdown, type DynamicModule } from '@nestjs/common';
import { PromptCatalogue } from './catalogue/prompt.provider.js';
import { ResourceCatalogue } from './catalogue/resource.provider.js';
import { ToolCatalogue } from './catalogue/tool-catalogue.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { GatewayOptions } from './gateway-options.js';
import { McpNotifier } from './sessions/mcp-notifier.js';
import { SessionFactory } from './sessions/session.factory.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { RequestAuthenticator } from './transports/request-authenticator.js';
import { McpHttpEdge } from './transports/mcp-http.edge.js';
import { StreamKeeper } from './transports/stream-keeper.js';

const finishWithinMs = 3_000;

@Module({})
export class McpModule implements BeforeApplicationShutdown {
  constructor(private readonly sessions: SessionRegistry) {}

  static forRoot(options: GatewayOptions): DynamicModule {
    return {
      module: McpModule,
      global: true,
      providers: [
        { provide: GatewayOptions, useValue: new GatewayOptions(options) },
        Dispatcher,
        RequestAuthenticator,
        McpHttpEdge,
        McpNotifier,
        PromptCatalogue,
        ResourceCatalogue,
        SessionFactory,
        SessionRegistry,
        StreamKeeper,
        ToolCatalogue,
      ],
      exports: [
        GatewayOptions,
        McpHttpEdge,
        McpNotifier,
        PromptCatalogue,
        ResourceCatalogue,
        SessionRegistry,
        ToolCatalogue,
      ],
    };
  }

  /** Before the server closes: it would wait for open streams for ever. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.sessions.endAll(finishWithinMs);
  }
}
