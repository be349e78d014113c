import { describe, expect, it } from '@jest/globals';
import { messagesOf, type StreamPosition } from './factory-answer.js';
import { endpointOf } from './factory-endpoint.js';

const json = { 'content-type': 'application/json' };
const html = { 'content-type': 'text/html; charset=utf-8' };
const stream = { 'content-type': 'text/event-stream' };
const texts = async (response: Response, position?: StreamPosition) => {
  const found: string[] = [];
  for await (const { text } of messagesOf(response, position)) found.push(text);
  return found;
};

describe('messagesOf', () => {
  it('finds the message of a plain answer, and of a refusal', async () => {
    expect(await texts(new Response('{"jsonrpc":"2.0","id":1,"result":{}}', { headers: json }))).toHaveLength(1);
    expect(
      await texts(
        new Response('{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}', { status: 401, headers: json }),
      ),
    ).toHaveLength(1);
    expect(await texts(new Response(null, { status: 202 }))).toEqual([]);
  });

  it('finds those of an event stream, and where it stands', async () => {
    const position: StreamPosition = {};
    const bytes = Buffer.from(
      'id: a-0\nretry: 1500\ndata: \n\n: ka\n\nevent: message\nid: a-1\ndata: {"jsonrpc":"2.0","method":"é"}\n\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n',
    );
    const body = new ReadableStream({
      start: (controller) => {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    expect(await texts(new Response(body, { headers: stream }), position)).toEqual([
      '{"jsonrpc":"2.0","method":"é"}',
      '{"jsonrpc":"2.0",\n"id":1,"result":{}}',
    ]);
    expect(position).toEqual({ lastEventId: 'a-1', retryMs: 1500 });
  });

  it.each<[string, Response, string]>([
    [
      'a page',
      new Response('<html>Welcome</html>', { headers: html }),
      'HTTP 200 with text/html: <html>Welcome</html>',
    ],
    [
      'a page that is not there',
      new Response('<h1>Not\nFound</h1>', { status: 404, statusText: 'Not Found', headers: html }),
      'HTTP 404 Not Found with text/html: <h1>Not Found</h1>',
    ],
    ['a proxy without its server', new Response('', { status: 502 }), 'HTTP 502 with nothing'],
    [
      'a problem of REST',
      new Response('{"title":"Not found","detail":"There is nothing at this address."}', {
        status: 404,
        headers: { 'content-type': 'application/problem+json' },
      }),
      'There is nothing at this address.',
    ],
    [
      'a redirect',
      new Response(null, { status: 308, headers: { location: 'https://factory.example/api/mcp' } }),
      'to https://factory.example/api/mcp',
    ],
    ['JSON that is no message', new Response('{"hello":1}', { headers: json }), '{"hello":1}'],
    ['what says it is JSON', new Response('{"jsonrpc":', { headers: json }), '{"jsonrpc":'],
    ['a list', new Response('[]', { headers: json }), '[]'],
    [
      'the stream of HTTP+SSE',
      new Response('event: endpoint\ndata: /api/mcp/messages?sessionId=x\n\n', { headers: stream }),
      'HTTP+SSE',
    ],
    ['events of something else', new Response('data: tick\n\n', { headers: stream }), 'no JSON-RPC message: tick'],
  ])('says what %s is', async (_what, response, words) => await expect(texts(response)).rejects.toThrow(words));
});

describe('endpointOf', () => {
  it.each([
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000/api/mcp'],
    ['https://example.org/factory/?toolsets=vms#x', 'https://example.org/factory/api/mcp?toolsets=vms'],
  ])('of %s', (url, endpoint) => expect(endpointOf(new URL(url))).toEqual({ endpoint, fault: undefined }));

  it('says what is wrong with an address of a transport', () => {
    expect(endpointOf(new URL('http://127.0.0.1:3000/api/mcp/sse')).fault).toBe(
      'OPENFACTORY_URL is http://127.0.0.1:3000/api/mcp/sse, the address of the HTTP+SSE transport. It must be the address of the factory itself: http://127.0.0.1:3000.',
    );
    expect(endpointOf(new URL('https://example.org/factory/api/mcp/')).fault).toContain(
      'itself: https://example.org/factory.',
    );
    const withPassword = endpointOf(new URL('http://ada:hunter2@127.0.0.1:3000'));
    expect(withPassword.fault).toContain('OPENFACTORY_API_KEY');
    expect(JSON.stringify(withPassword)).not.toContain('hunter2');
  });
});
