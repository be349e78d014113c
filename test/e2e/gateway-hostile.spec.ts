import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SessionRegistry } from '#libs/mcp';
import { startTestApp, type TestApp } from '../support/app.js';
import { ProbeToolsModule } from '../support/probe-tools.module.js';
import { postJson, RawSseClient, send } from '../support/raw-client.js';

const sessionsPerCaller = 100;
let app: TestApp;
const open: RawSseClient[] = [];
const connect = async (options: Parameters<typeof RawSseClient.open>[1] = {}) => {
  const client = await RawSseClient.open(app.url, options);
  open.push(client);
  return client;
};
const registry = () => app.app.get(SessionRegistry);
const stillServes = async () => {
  const client = await connect({ from: '127.0.0.9' });
  expect(
    (await client.call('tools/call', { name: 'probe_echo', arguments: { text: 'alive' } })).result.structuredContent
      .text,
  ).toBe('alive');
};

beforeAll(async () => {
  app = await startTestApp({ extraModules: [ProbeToolsModule] });
});
afterEach(async () => {
  open.splice(0).forEach((client) => client.close());
  await stillServes();
  open.splice(0).forEach((client) => client.close());
});
afterAll(() => app.stop());

describe.each(['sse', 'streamable'] as const)('bad messages over %s', (transport) => {
  const both = { accept: 'application/json, text/event-stream' };
  /** Sends raw bytes on a fresh session; gives the HTTP answer. */
  const post = async (body: string, headers: Record<string, string> = {}) => {
    if (transport === 'sse') return await (await connect()).post(body, { headers });
    const { headers: given } = await postJson(
      `${app.url}/api/mcp`,
      { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25' } },
      { headers: both },
    );
    return await postJson(`${app.url}/api/mcp`, body, {
      headers: { ...both, 'mcp-session-id': String(given['mcp-session-id']), ...headers },
    });
  };
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

  it.each([
    ['no JSON', '{"jsonrpc":', -32700],
    ['nothing', '', -32700],
    ['bytes that are no text', '\u0000\u0001', -32700],
    ['a batch', `[${ping}]`, -32600],
    ['an empty batch', '[]', -32600],
    ['a number', '7', -32600],
    ['null', 'null', -32600],
    ['an id that is null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
    ['a fraction as id', '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
    ['another version of JSON-RPC', '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
    ['a method that is no text', '{"jsonrpc":"2.0","id":1,"method":5}', -32600],
    ['neither method nor result', '{"jsonrpc":"2.0","id":1}', -32600],
    ['a result without an id', '{"jsonrpc":"2.0","result":{}}', -32600],
  ])('%s: HTTP 400 and a JSON-RPC error', async (_, body, code) => {
    const response = await post(body);
    expect(response).toMatchObject({
      status: 400,
      headers: { 'content-type': expect.stringContaining('application/json') },
    });
    expect(response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code, message: expect.any(String) } });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', ''])(
    'content type "%s": 415',
    async (type) => {
      const response = await post(ping, { 'content-type': type });
      expect(response.status).toBe(415);
      expect(response.json().error).toMatchObject({ code: -32600, data: { reason: 'unsupported_media_type' } });
    },
  );

  it('a compressed body: 415', async () =>
    expect(await post(ping, { 'content-encoding': 'gzip' })).toMatchObject({ status: 415 }));

  it('5 MB: 413 that arrives although the client is still sending', async () => {
    const response = await post(
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { x: 'x'.repeat(5_000_000) } }),
    );
    expect(response).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect(response.json().error).toMatchObject({ code: -32600, data: { reason: 'body_too_large' } });
  });

  it('arguments nested 10,000 deep: refused as arguments; 200,000 of them: not even read', async () => {
    const client = await connect();
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    await client.post(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_echo","arguments":{"text":"x","words":${deep}}}}`,
    );
    await client.until(() => client.messages.length > 0);
    expect(client.messages[0].result).toMatchObject({
      isError: true,
      _meta: { error: { reason: 'invalid_arguments' } },
    });
    const many = await client.post({
      jsonrpc: '2.0',
      id: 2,
      method: 'tools/call',
      params: { name: 'probe_echo', arguments: { text: 'x', words: Array.from({ length: 200_000 }, () => 1) } },
    });
    expect([many.status, many.json().error.data.reason]).toEqual([413, 'too_many_values']);
  });

  it('an id that is in use: refused, and the first call goes on', async () => {
    const client = await connect();
    const message = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'probe_wait', arguments: { ms: 200 } },
    };
    expect(await client.post(message)).toMatchObject({ status: 202 });
    expect((await client.post(message)).json().error.message).toContain('still running');
    await client.until(() => client.messages.some(({ result }) => result?.structuredContent?.waited === 200));
  });

  it('malformed notifications and answers to nothing: taken without a word', async () => {
    for (const body of [
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}',
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}',
      '{"jsonrpc":"2.0","id":99,"result":{}}',
      '{"jsonrpc":"2.0","method":"no/such"}',
    ]) {
      expect(await post(body)).toMatchObject({ status: 202 });
    }
  });
});

describe('whatever JSON comes', () => {
  it('never breaks the edge, and every request is answered', async () => {
    const client = await connect();
    const method = fc.constantFrom(
      'initialize',
      'tools/call',
      'tools/list',
      'prompts/get',
      'resources/read',
      'resources/subscribe',
      'completion/complete',
      'logging/setLevel',
      'ping',
      'notifications/cancelled',
      'x',
    );
    const params = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          name: fc.oneof(fc.constant('probe_echo'), fc.jsonValue()),
          arguments: fc.jsonValue(),
          uri: fc.jsonValue(),
          ref: fc.jsonValue(),
          argument: fc.jsonValue(),
          level: fc.jsonValue(),
          _meta: fc.jsonValue(),
          task: fc.jsonValue(),
          capabilities: fc.jsonValue(),
          clientInfo: fc.jsonValue(),
          protocolVersion: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
    );
    let id = 1;
    await fc.assert(
      fc.asyncProperty(method, params, async (name, value) => {
        const { status } = await client.post({ jsonrpc: '2.0', id: ++id, method: name, params: value });
        expect(status).toBe(202);
        await client.until(() => client.messages.some((message) => message.id === id), 2_000);
        const { error } = client.messages.find((message) => message.id === id);
        expect(error?.code).not.toBe(-32603);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

describe('strangers', () => {
  it('get the same 404 for a session of another address as for none at all', async () => {
    const mine = await connect({ from: '127.0.0.1' });
    const message = { jsonrpc: '2.0', id: 1, method: 'ping' };
    const theirs = await postJson(mine.endpoint, message, { from: '127.0.0.2' });
    const unknown = await postJson(`${app.url}/api/mcp/messages?sessionId=${'A'.repeat(32)}`, message, {
      from: '127.0.0.2',
    });
    const without = await postJson(`${app.url}/api/mcp/messages`, message, { from: '127.0.0.2' });
    const scrub = ({ status, body }: { status: number; body: string }) => [
      status,
      body.replace(/"request_id":"[^"]+"/, ''),
    ];
    expect(theirs.status).toBe(404);
    expect(scrub(theirs)).toEqual(scrub(unknown));
    expect(scrub(theirs)).toEqual(scrub(without));
    expect(theirs.json().error).toMatchObject({ code: -32001, message: 'Session not found' });
    expect(mine.messages).toEqual([]);
  });

  it.each([
    ['a foreign Host', { host: 'evil.example' }],
    ['a Host that only begins like ours', { host: '127.0.0.1.evil.example' }],
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['the null Origin', { origin: 'null' }],
  ])('with %s get 403 everywhere', async (_, headers: Record<string, string>) => {
    for (const path of ['/api/mcp/sse', '/api/mcp', '/api/health/live', '/metrics', '/api/docs'])
      expect(await send(app.url + path, { headers })).toMatchObject({ status: 403 });
    expect(await postJson(`${app.url}/api/mcp`, {}, { headers })).toMatchObject({ status: 403 });
  });

  it('with any bearer token get 401 "Invalid API key", never anonymous access', async () => {
    for (const authorization of ['Bearer of_mcp_nonsense', 'Bearer', '', 'of_mcp_nonsense']) {
      const response = await send(`${app.url}/api/mcp/sse`, { headers: { authorization } });
      expect(response).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': expect.stringContaining('Bearer error="invalid_token"') },
      });
      expect(response.json().error.message).toBe('Invalid API key');
    }
  });

  it.each<[string, string, Record<string, string>]>([
    ['X-API-Key', '', { 'x-api-key': 'of_mcp_misplaced' }],
    ['?token=', '?token=of_mcp_misplaced', {}],
    ['?api_key=', '?api_key=of_mcp_misplaced', {}],
    ['Basic', '', { authorization: `Basic ${Buffer.from('key:of_mcp_misplaced').toString('base64')}` }],
  ])(
    'with a key in another place (%s) are told where it belongs, and are not anonymous',
    async (_place, query, headers) => {
      const answers = [
        await send(`${app.url}/api/recipes${query}`, { headers }),
        await send(`${app.url}/api/mcp/sse${query}`, { headers }),
        await postJson(
          `${app.url}/api/mcp${query}`,
          { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } },
          { headers },
        ),
      ];
      for (const answer of answers) {
        expect(answer).toMatchObject({
          status: 401,
          headers: { 'www-authenticate': 'Bearer error="invalid_request"' },
          body: expect.stringContaining('Authorization: Bearer'),
        });
        expect(answer.body).not.toContain('of_mcp_');
      }
    },
  );

  it('behind a proxy that nobody configured are refused with the name of the setting', async () => {
    const response = await send(`${app.url}/api/mcp/sse`, { headers: { 'x-forwarded-for': '203.0.113.5' } });
    expect(response.status).toBe(403);
    expect(response.json().error.data).toMatchObject({
      reason: 'proxy_not_configured',
      hint: expect.stringContaining('OPENFACTORY_TRUST_PROXY'),
    });
  });
});

describe('floods', () => {
  it('2,000 sessions from one address: the oldest idle ones give way, others are served', async () => {
    const kept = await connect({ from: '127.0.0.3' });
    for (let batch = 0; batch < 20; batch++) await Promise.all(Array.from({ length: 100 }, () => connect()));
    expect(registry().size).toBeLessThanOrEqual(sessionsPerCaller + 1);
    const [first, last] = [open[1]!, open.at(-1)!];
    await first.until(() => first.closed);
    expect((await first.post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(404);
    expect((await last.call('ping')).result).toEqual({});
    expect((await kept.call('ping')).result).toEqual({});
  }, 60_000);

  it('busy sessions are not evicted: the next one is told to wait', async () => {
    const busy = await Promise.all(Array.from({ length: sessionsPerCaller }, () => connect({ from: '127.0.0.4' })));
    await Promise.all(
      busy.map((client) =>
        client.post({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'probe_wait', arguments: { ms: 60_000 } },
        }),
      ),
    );
    const response = await send(`${app.url}/api/mcp/sse`, { from: '127.0.0.4' });
    expect(response).toMatchObject({ status: 429, headers: { 'retry-after': '10' } });
    expect(response.json().error.data).toMatchObject({ reason: 'too_many_sessions' });
  }, 30_000);

  it('more calls at once than allowed: 429, and room again when they end', async () => {
    const client = await connect({ from: '127.0.0.5' });
    const wait = (id: number) =>
      client.post({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'probe_wait', arguments: { ms: 300 } } });
    for (let id = 1; id <= 32; id++) expect(await wait(id)).toMatchObject({ status: 202 });
    expect(await wait(33)).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    await client.until(() => client.messages.filter(({ result }) => result).length === 32);
    expect(await wait(34)).toMatchObject({ status: 202 });
  });

  it('a client that never reads its stream loses it; memory stays bounded', async () => {
    const sessionsBefore = registry().size;
    const client = await connect({ from: '127.0.0.6', reads: false });
    let gone = false;
    for (let id = 1; id <= 40 && !gone; id++) {
      const { status } = await client.post({
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: { name: 'probe_flood', arguments: { bytes: 1_000_000 } },
      });
      gone = status === 404;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(gone).toBe(true);
    expect(registry().size).toBeLessThanOrEqual(sessionsBefore);
  }, 30_000);

  it('a sender that stops in the middle of a body does not hold anything but its own connection', async () => {
    const client = await connect();
    const socket = net.connect(Number(new URL(app.url).port), '127.0.0.1');
    const { pathname, search, host } = new URL(client.endpoint);
    socket.write(
      `POST ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"jsonrpc"`,
    );
    expect((await client.call('ping')).result).toEqual({});
    socket.destroy();
  });

  it('sockets that speak no HTTP are told off and closed', async () => {
    const socket = net.connect(Number(new URL(app.url).port), '127.0.0.1');
    const said = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => (text += String(chunk))).on('close', () => resolve(text));
    });
    socket.write('\u0016\u0003\u0001 hello\r\n\r\n');
    expect(await said).toContain('400 Bad Request');
  });
});
