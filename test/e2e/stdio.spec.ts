import { spawn } from 'node:child_process';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionRegistry } from '#libs/mcp';
import { productRoot } from '#libs/platform';
import { StdioBridge } from '../../apps/cli/src/stdio/stdio-bridge.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { ProbeToolsModule } from '../support/probe-tools.module.js';
import { until } from '../support/until.js';

type Message = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON of the other side

/** A client that starts the bridge: what it writes goes in as bytes, what comes out must be one JSON-RPC message a line. */
class StdioClient {
  readonly lines: string[] = [];
  readonly notes: string[] = [];
  readonly input = new PassThrough();
  readonly bridge: StdioBridge;
  readonly ended: Promise<void>;

  constructor(endpoint: string) {
    this.bridge = new StdioBridge({
      endpoint,
      headers: {},
      input: this.input,
      write: (line) => this.lines.push(line),
      note: (text) => this.notes.push(text),
    });
    this.ended = this.bridge.run();
  }

  get messages(): Message[] {
    return this.lines.map((line): Message => JSON.parse(line));
  }

  send(...messages: unknown[]): void {
    for (const message of messages)
      this.input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  answersTo(id: unknown): Message[] {
    return this.messages.filter((message) => !message.method && message.id === id);
  }

  async answerTo(id: unknown): Promise<Message> {
    return (
      await until(
        () => Promise.resolve(this.answersTo(id)),
        (answers) => answers.length > 0,
      )
    )[0];
  }

  async end(): Promise<void> {
    this.input.end();
    await this.ended;
  }
}

const initialize = (id: string | number = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
});
const ping = (id: string | number) => ({ jsonrpc: '2.0', id, method: 'ping' });
const call = (id: string | number, name: string, args: object) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

describe('a factory', () => {
  let app: TestApp;
  let client: StdioClient;
  beforeAll(async () => {
    app = await startTestApp({ extraModules: [ProbeToolsModule] });
  });
  afterAll(() => app.stop());
  afterEach(() => client.end());
  const open = async () => {
    client = new StdioClient(`${app.url}/api/mcp`);
    client.send(initialize());
    expect((await client.answerTo(1)).result.protocolVersion).toBe('2025-11-25');
  };

  it('is asked for what any string holds, and its answers keep to one line', async () => {
    await open();
    const text = 'a\u2028b\u2029c\u0085d\r\ne\uFEFF"\\ud800 \u{1F600}';
    const bytes = Buffer.from(`${JSON.stringify(call(2, 'probe_echo', { text }))}\n`);
    for (const byte of bytes) client.input.write(Buffer.of(byte));
    expect((await client.answerTo(2)).result.structuredContent.text).toBe(text);
    expect(client.lines.join('')).not.toMatch(/[\r\n\u0085\u2028\u2029]/);
  });

  it('answers each request once: many at a time, in a batch, of no use at all, and too large', async () => {
    await open();
    const ids = Array.from({ length: 20 }, (_, index) => `p${index}`);
    client.send(...ids.map(ping));
    client.send(
      [ping('b1'), { jsonrpc: '2.0', method: 'notifications/initialized' }, ping('b2')],
      '{"id":9,"method":"ping"}',
      { jsonrpc: '2.0', id: 10, method: 'nope' },
      call(11, 'probe_echo', { text: 'x'.repeat(5 << 20) }),
    );
    for (const id of [...ids, 'b1', 'b2', 9, 10, 11]) await client.answerTo(id);
    for (const id of ['b1', 'b2', 9]) expect((await client.answerTo(id)).error.code).toBe(-32600);
    expect(client.messages.map(({ id }) => id)).toHaveLength(new Set(client.messages.map(({ id }) => id)).size);
  });

  it('answers what it cannot read with the id null, and what needs no answer with none', async () => {
    await open();
    client.send(
      '{"jsonrpc":',
      { jsonrpc: '2.0', method: 'notifications/whatever', params: 5 },
      { jsonrpc: '2.0', id: 'unasked', result: {} },
      ping('last'),
    );
    await client.answerTo('last');
    await client.answerTo(null);
    expect(client.messages.map(({ id }) => id)).toEqual(expect.arrayContaining([1, null, 'last']));
    expect(client.messages).toHaveLength(3);
  });

  it('may forget the session: the client does not notice', async () => {
    await open();
    client.send(call(2, 'probe_echo', { text: 'x' }));
    await client.answerTo(2);
    await app.app.get(SessionRegistry).endAll(0);
    client.send(...[3, 4, 5].map(ping));
    for (const id of [3, 4, 5]) expect((await client.answerTo(id)).result).toEqual({});
    expect(client.answersTo(1)).toHaveLength(1);
  });

  it('is silent about a cancelled call', async () => {
    await open();
    client.send(call(2, 'probe_wait', { ms: 60_000 }));
    await until(
      () => Promise.resolve(client.messages),
      (messages) => messages.some(({ method }) => method === 'notifications/message'),
    );
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } }, ping(3));
    await client.answerTo(3);
    await client.end();
    expect(client.answersTo(2)).toEqual([]);
  });
});

describe('what answers is no factory', () => {
  let server: http.Server;
  let client: StdioClient;
  let respond: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  beforeAll(async () => {
    server = http.createServer((request, response) => {
      let body = '';
      request
        .setEncoding('utf8')
        .on('data', (chunk: string) => (body += chunk))
        .on('end', () => respond(request, response, body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  afterEach(() => client.end());
  const connect = () =>
    (client = new StdioClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/mcp`));

  const html = { 'content-type': 'text/html' };
  it.each<[string, (response: ServerResponse) => void, string]>([
    ['a page', (response) => response.writeHead(200, html).end('<html>\nWelcome</html>'), '<html> Welcome</html>'],
    ['404', (response) => response.writeHead(404, html).end('not here'), 'HTTP 404'],
    ['502', (response) => response.writeHead(502).end('bad gateway'), 'Is it running?'],
    [
      'a redirect',
      (response) => response.writeHead(301, { location: 'https://elsewhere.example/' }).end(),
      'https://elsewhere.example/',
    ],
    ['nothing', (response) => response.writeHead(200).end(), 'said nothing'],
    ['202', (response) => response.writeHead(202).end(), 'said nothing'],
    [
      'JSON of its own',
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}'),
      '{"a":1}',
    ],
    [
      'an answer to somebody else',
      (response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end('{"jsonrpc":"2.0","id":"other","result":{}}'),
      'said nothing',
    ],
    [
      'half an answer',
      (response) =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
          .write('{"jsonrpc"', () => response.destroy()),
      'cannot be reached',
    ],
    [
      'half a stream',
      (response) =>
        response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .write('data: {"jsonrpc":"2.0","method":"notifications/message"}\n\ndata: {"json', () => response.destroy()),
      'cannot be reached',
    ],
    ['a closed door', (response) => response.destroy(), 'cannot be reached'],
  ])('%s: one error for each id that asked, in words', async (_what, say, words) => {
    respond = (_request, response) => say(response);
    connect().send(initialize(), ping('two'), [ping('three'), ping('four')], {
      jsonrpc: '2.0',
      method: 'notifications/initialized',
    });
    for (const id of [1, 'two', 'three', 'four'])
      expect((await client.answerTo(id)).error).toMatchObject({
        code: -32000,
        message: expect.stringContaining(words),
      });
    await client.end();
    expect(
      client.messages
        .filter(({ method }) => !method)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([1, 'four', 'three', 'two']);
  });

  it('a stream that breaks goes on after its last event, and the request is not sent again', async () => {
    const seen: string[] = [];
    respond = (request, response) => {
      seen.push(`${request.method} ${String(request.headers['last-event-id'])}`);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (request.method === 'POST')
        response.write(
          'id: a-1\nretry: 1\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n',
          () => response.destroy(),
        );
      else response.end('id: a-2\ndata: {"jsonrpc":"2.0","id":7,"result":{}}\n\n');
    };
    connect().send(ping(7));
    expect(await client.answerTo(7)).toEqual({ jsonrpc: '2.0', id: 7, result: {} });
    expect(seen).toEqual(['POST undefined', 'GET a-1']);
  });

  it('requests that are still running when the client leaves are answered, too', async () => {
    let arrived = 0;
    respond = () => (arrived += 1);
    connect().send(ping(1), ping(2));
    await until(
      () => Promise.resolve(arrived),
      (count) => count === 2,
    );
    await client.bridge.close();
    expect(client.messages.map(({ id, error }) => [id, error.code])).toEqual([
      [1, -32000],
      [2, -32000],
    ]);
  });
});

describe('bin/openfactory mcp', () => {
  it('with the address of the SSE transport: one error with the id that asked, in words, and nothing else', async () => {
    const child = spawn(process.execPath, [path.join(productRoot, 'bin/openfactory'), 'mcp'], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, OPENFACTORY_URL: 'http://127.0.0.1:9/api/mcp/sse' },
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.stdin.end(`${JSON.stringify(initialize('first'))}\n`);
    await new Promise((resolve) => child.on('close', resolve));
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {
        jsonrpc: '2.0',
        id: 'first',
        error: {
          code: -32000,
          message: expect.stringContaining(
            'the address of the HTTP+SSE transport. It must be the address of the factory itself: http://127.0.0.1:9.',
          ),
        },
      },
    ]);
  });
});
