import type { Command } from 'commander';
import { loadClientSettings } from '#libs/platform';
import { StdioBridge } from './stdio/stdio-bridge.js';

export function registerMcpCommand(program: Command): void {
  program
    .command('mcp')
    .description('Speak MCP over standard input and output, as a client of a running factory (OPENFACTORY_URL, OPENFACTORY_API_KEY)')
    .option('--toolsets <names>', 'only these toolsets, comma-separated')
    .option('--readonly', 'only tools that change nothing')
    .action(async ({ toolsets, readonly }: { toolsets?: string; readonly?: boolean }) => {
      const { url, apiKey } = loadClientSettings();
      const bridge = new StdioBridge({
        endpoint: `${url.href.replace(/\/$/, '')}/api/mcp`,
        headers: {
          ...(apiKey && { authorization: `Bearer ${apiKey}` }),
          ...(toolsets && { 'x-mcp-toolsets': toolsets }),
          ...(readonly && { 'x-mcp-readonly': '1' }),
        },
        input: process.stdin,
        write: (line) => process.stdout.write(`${line}\n`),
      });
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void bridge.close().then(() => process.exit(0)));
      await bridge.run();
      process.exit(0);
    });
}
