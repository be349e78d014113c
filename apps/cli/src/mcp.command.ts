import type { Command } from 'commander';
import { loadClientSettings } from '#libs/platform';
import { endpointOf } from './stdio/factory-endpoint.js';
import { StdioBridge } from './stdio/stdio-bridge.js';

export function registerMcpCommand(program: Command): void {
  program
    .command('mcp')
    .description(
      'Speak MCP over standard input and output, as a client of a running factory (OPENFACTORY_URL, OPENFACTORY_API_KEY)',
    )
    .option('--toolsets <names>', 'only these toolsets, comma-separated')
    .option('--readonly', 'only tools that change nothing')
    .action(async ({ toolsets, readonly }: { toolsets?: string; readonly?: boolean }) => {
      const { url, apiKey } = loadClientSettings();
      const bridge = new StdioBridge({
        ...endpointOf(url),
        headers: {
          ...(apiKey && { authorization: `Bearer ${apiKey}` }),
          ...(toolsets && { 'x-mcp-toolsets': toolsets }),
          ...(readonly && { 'x-mcp-readonly': '1' }),
        },
        input: process.stdin,
        write: (line) => process.stdout.write(`${line}\n`),
        note: (text) => process.stderr.write(`${text}\n`),
      });
      // The client is gone, and with it everybody who could be told.
      process.stdout.on('error', () => process.exit(0));
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => void bridge.close().then(() => process.exit(0)));
      await bridge.run();
      process.exit(0);
    });
}
