/** Addresses of the gateway's own that people paste, with what stands before them. */
const endpointOfGateway = /^(.*?)\/+api\/mcp(\/sse|\/messages|\/sse\/messages)?\/*$/;

/** Where the factory at OPENFACTORY_URL takes MCP messages, and what is wrong with that setting, if anything. */
export function endpointOf(factory: URL): { endpoint: string; fault: string | undefined } {
  const url = new URL(factory);
  const hasCredentials = Boolean(url.username || url.password);
  [url.username, url.password, url.hash] = ['', '', ''];
  const pasted = endpointOfGateway.exec(url.pathname);
  const own = `${url.origin}${pasted?.[1] ?? ''}`;
  const fault = pasted
    ? `OPENFACTORY_URL is ${url.href}, the address ${pasted[2] ? 'of the HTTP+SSE transport' : 'of the MCP endpoint'}. It must be the address of the factory itself: ${own}.`
    : hasCredentials
      ? 'OPENFACTORY_URL holds a user name or a password, which the factory does not take. Leave them out, and put an API key into OPENFACTORY_API_KEY.'
      : undefined;
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/mcp`;
  return { endpoint: url.href, fault };
}
