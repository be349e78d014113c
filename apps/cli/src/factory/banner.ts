import path from 'node:path';
import { productRoot, type Settings } from '#libs/platform';

const everyAddress: Partial<Record<string, string>> = {
  '0.0.0.0': 'every IPv4 address of this machine',
  '::': 'every address of this machine',
};

/** What a newcomer needs next: where things are, and configuration to paste into the usual MCP clients. */
export function banner(settings: Settings, setUpUrl?: string): string {
  if (!settings.roles.includes('api'))
    return `\nOpenFactory is running.\n\n  A worker: it answers no requests.\n  Data directory         ${settings.dataDir}\n\nCtrl-C stops it.\n`;
  const url = settings.publicUrl;
  const every = everyAddress[settings.host];
  const sse = `${url}/api/mcp/sse`;
  const setUp =
    setUpUrl === undefined
      ? ''
      : `\nThere is no account yet. Make the administrator’s here (once, within a day; a restart prints a new link):\n\n  ${setUpUrl}\n`;
  const desktop = JSON.stringify({ mcpServers: { openfactory: { url: sse } } }, null, 2);
  return `
OpenFactory is running.

  MCP, Streamable HTTP   ${url}/api/mcp
  MCP, HTTP+SSE          ${sse}   (messages: ${url}/api/mcp/messages)
  MCP, stdio             OPENFACTORY_URL=${url} ${path.join(productRoot, 'bin/openfactory')} mcp
  API documentation      ${url}/api/docs
  Listening on           ${settings.listeningOn}${every === undefined ? '' : `, ${every}`}
  Data directory         ${settings.dataDir}
${setUp}
Claude Code:

  claude mcp add --transport sse openfactory ${sse}

Claude Desktop (claude_desktop_config.json) and Cursor (.cursor/mcp.json):

${desktop.replace(/^/gm, '  ')}

Without an API key everybody behind one address is one caller. Ctrl-C stops the factory.
`;
}
