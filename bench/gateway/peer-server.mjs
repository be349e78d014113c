// The peer: `peer-server.mjs express|http CATALOGUE.json`. The SDK's own server as its documentation shows it for HTTP+SSE
// (docs/server.md and examples/server/simpleSseServer: one McpServer per session), or the same without Express.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { work } from './bench-tools.mjs';
import { serveSideChannel } from './side-channel.mjs';
import { rawShape } from './zod-shape.mjs';

const [kind, catalogueFile] = process.argv.slice(2);
// Shapes are made once, though the documentation makes them once per session: the peer gets the better of it.
const tools = JSON.parse(readFileSync(catalogueFile, 'utf8')).map(
  ({ name, title, description, inputSchema, outputSchema, annotations }) => ({
    name,
    config: {
      title,
      description,
      inputSchema: rawShape(inputSchema),
      ...(outputSchema && { outputSchema: rawShape(outputSchema) }),
      annotations,
    },
  }),
);
const transports = new Map();

function makeServer() {
  const server = new McpServer({ name: 'peer', version: '1.0.0' });
  for (const { name, config } of tools) {
    server.registerTool(name, config, (input) => {
      const structuredContent = work(input);
      return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
    });
  }
  return server;
}

async function openStream(response) {
  const transport = new SSEServerTransport('/messages', response);
  transports.set(transport.sessionId, transport);
  transport.onclose = () => transports.delete(transport.sessionId);
  await makeServer().connect(transport);
}

async function takeMessage(sessionId, request, response, body) {
  const transport = transports.get(sessionId);
  if (transport) await transport.handlePostMessage(request, response, body);
  else response.writeHead(404).end('Session not found');
}

function expressListener() {
  const app = createMcpExpressApp();
  app.get('/sse', async (_request, response) => await openStream(response));
  app.post(
    '/messages',
    async (request, response) => await takeMessage(request.query.sessionId, request, response, request.body),
  );
  return app;
}

function plainListener(request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (request.method === 'GET' && url.pathname === '/sse') void openStream(response);
  else void takeMessage(url.searchParams.get('sessionId'), request, response);
}

const server = http.createServer(kind === 'express' ? expressListener() : plainListener);
// As the product has it; Node's 5 s would make the client reconnect between rounds.
server.keepAliveTimeout = 65_000;
server.listen(0, '127.0.0.1', () => {
  serveSideChannel(`http://127.0.0.1:${server.address().port}/sse`, async () => {
    server.close();
    server.closeAllConnections();
  });
});
