/** What the product tells the gateway about itself; the gateway knows no domain. */
export class GatewayOptions {
  /** `serverInfo` of initialize. */
  readonly serverInfo: { name: string; title: string; version: string; description: string };
  /** Tells a model how to work with this server (InitializeResult.instructions). */
  readonly instructions: string;
  /** Every toolset of the product, also those whose tools do not work yet, so that a configuration written today stays valid. */
  readonly toolsets: readonly string[];

  constructor(options: GatewayOptions) {
    Object.assign(this, options);
  }
}
