import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app.js';
import { ProbeToolsModule } from '../support/probe-tools.module.js';
import { postJson, RawSseClient, send } from '../support/raw-client.js';

let app: TestApp;
const open: RawSseClient[] = [];
const connect = async (options: Parameters<typeof RawSseClient.open>[1] = {}) => {
  const client = await RawSseClient.open(app.url, options);
  open.push(client);
  return client;
};

beforeAll(async () => {
  app = await startTestApp({ extraModules: [ProbeToolsModule] });
});
afterEach(() => open.splice(0).forEach((client) => client.close()));
afterAll(() => app.stop());

describe('the first requests of both documents, as written', () => {
  it('curl -H "Accept: text/event-stream" streams events', async () => {
    const { response, events } = await connect();
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    expect(events[0]).toMatchObject({
      event: 'endpoint',
      data: expect.stringMatching(/^\/api\/mcp\/messages\?sessionId=[\w-]{32}$/),
    });
    expect(Number(events[0]!.retry)).toBeGreaterThanOrEqual(1000);
  });

  it('initialize without capabilities', async () => {
    const client = await connect();
    const answer = await client.call('initialize', {
      protocolVersion: '2024-11-05',
      clientInfo: { name: 'client-name', version: '1.0.0' },
    });
    expect(answer.result).toMatchObject({
      protocolVersion: '2024-11-05',
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
      },
      serverInfo: { name: 'openfactory', version: expect.any(String), description: expect.any(String) },
    });
  });

  it('tools/list, tools/call, resources/list, prompts/list', async () => {
    const client = await connect();
    expect((await client.call('tools/list', {})).result.tools.length).toBeGreaterThan(0);
    expect(
      (await client.call('tools/call', { name: 'probe_echo', arguments: { text: 'hi' } })).result.content[0],
    ).toMatchObject({ type: 'text' });
    expect((await client.call('resources/list', {})).result).toEqual({ resources: [] });
    expect((await client.call('prompts/list', {})).result).toEqual({ prompts: [] });
  });

  it('prompts/get with a number among its arguments is about the prompt, not about the number', async () => {
    const client = await connect();
    const { error } = await client.call('prompts/get', {
      name: 'provision_infrastructure',
      arguments: { template_type: 'ec2', instance_count: 3 },
    });
    expect(error).toMatchObject({ code: 1005, message: 'Unknown prompt: provision_infrastructure' });
  });
});

describe('HTTP+SSE', () => {
  it('accepts calls on a fresh session without initialize, as reconnecting clients need', async () => {
    const client = await connect();
    expect(
      (await client.call('tools/call', { name: 'probe_echo', arguments: { text: 'a' } }, 'first')).result
        .structuredContent.text,
    ).toBe('a');
  });

  it('offers its own revision to a client of an unknown one, and echoes those it knows', async () => {
    const version = async (protocolVersion: string) =>
      (await (await connect()).call('initialize', { protocolVersion })).result.protocolVersion;
    expect(await version('2099-01-01')).toBe('2024-11-05');
    expect(await version('2025-06-18')).toBe('2025-06-18');
  });

  it('answers POST and others on the stream’s address with 405 in JSON and Allow: GET', async () => {
    for (const method of ['POST', 'DELETE', 'PUT']) {
      const response = await postJson(
        `${app.url}/api/mcp/sse`,
        { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} },
        { method },
      );
      expect(response).toMatchObject({
        status: 405,
        headers: { allow: 'GET', 'content-type': expect.stringContaining('application/json') },
      });
      expect(response.json().error.message).toContain('/api/mcp');
    }
  });

  it('takes messages at the address that some clients make by appending', async () => {
    const client = await connect();
    const sessionId = new URL(client.endpoint).searchParams.get('sessionId');
    const { status } = await postJson(`${app.url}/api/mcp/sse/messages?sessionId=${sessionId}`, {
      jsonrpc: '2.0',
      id: 'x',
      method: 'ping',
    });
    expect(status).toBe(202);
    await client.until(() => client.messages.some(({ id }) => id === 'x'));
  });

  it('keeps ids as they came: strings, zero, negative ones', async () => {
    const client = await connect();
    for (const id of ['', 'a"b\n', 0, -5, Number.MAX_SAFE_INTEGER])
      expect(await client.call('ping', undefined, id)).toEqual({ jsonrpc: '2.0', id, result: {} });
  });

  it('sends every progress notification before the answer', async () => {
    const client = await connect();
    await client.call('tools/call', { name: 'probe_wait', arguments: { ms: 5 }, _meta: { progressToken: 'p' } }, 1);
    expect(client.messages.map(({ method, id }) => method ?? id)).toEqual([
      'notifications/progress',
      'notifications/message',
      'notifications/message',
      'notifications/progress',
      1,
    ]);
    expect(client.messages[0].params).toEqual({ progressToken: 'p', progress: 0, total: 5, message: 'begun' });
  });

  it('is silent about a cancelled call', async () => {
    const client = await connect();
    await client.post({
      jsonrpc: '2.0',
      id: 9,
      method: 'tools/call',
      params: { name: 'probe_wait', arguments: { ms: 60_000 } },
    });
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 9 } });
    expect(await client.call('ping', undefined, 10)).toEqual({ jsonrpc: '2.0', id: 10, result: {} });
    expect(client.messages.filter(({ id }) => id === 9)).toEqual([]);
    expect((await client.call('ping', undefined, 9)).id).toBe(9);
  });
});

describe('a slash at the end of an address', () => {
  it('changes nothing', async () => {
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } };
    expect(await postJson(`${app.url}/api/mcp/`, initialize)).toMatchObject({
      status: 200,
      headers: { 'mcp-session-id': expect.any(String) },
    });
    expect(await postJson(`${app.url}/api/mcp/sse/`, initialize)).toMatchObject({
      status: 405,
      headers: { allow: 'GET' },
    });
    const client = await connect({ path: '/api/mcp/sse/' });
    const sessionId = new URL(client.endpoint).searchParams.get('sessionId');
    expect(
      (
        await postJson(`${app.url}/api/mcp/messages/?sessionId=${sessionId}`, {
          jsonrpc: '2.0',
          id: 'x',
          method: 'ping',
        })
      ).status,
    ).toBe(202);
    await client.until(() => client.messages.some(({ id }) => id === 'x'));
    for (const path of ['/api/recipes', '/api/health/live', '/api/docs.json'])
      expect((await send(`${app.url}${path}/`)).status).toBe((await send(app.url + path)).status);
  });
});

describe('Streamable HTTP', () => {
  const endpoint = () => `${app.url}/api/mcp`;
  const both = { accept: 'application/json, text/event-stream' };
  const initialize = async (headers: Record<string, string> = {}, query = '') => {
    const response = await postJson(
      `${endpoint()}${query}`,
      { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } },
      { headers: { ...both, ...headers } },
    );
    return { response, session: { ...both, 'mcp-session-id': String(response.headers['mcp-session-id']) } };
  };
  const call = (session: Record<string, string>, method: string, params?: object, id: string | number = 2) =>
    postJson(endpoint(), { jsonrpc: '2.0', id, method, params }, { headers: session });

  it('opens a session with an unguessable id and answers plainly', async () => {
    const { response, session } = await initialize();
    expect(response).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'mcp-session-id': expect.stringMatching(/^[\w-]{32}$/) },
    });
    expect(response.json().result.protocolVersion).toBe('2025-11-25');
    expect(
      (await call(session, 'tools/call', { name: 'probe_echo', arguments: { text: 'x' } })).json().result
        .structuredContent.text,
    ).toBe('x');
  });

  it('negotiates the revision with initialize whatever its header says, and refuses an unknown header afterwards', async () => {
    const { response, session } = await initialize({ 'mcp-protocol-version': '2026-05-11' });
    expect(response).toMatchObject({ status: 200 });
    expect(response.json().result.protocolVersion).toBe('2025-11-25');
    const unknown = await postJson(
      endpoint(),
      { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2026-05-11' } },
      { headers: both },
    );
    expect(unknown.json().result.protocolVersion).toBe('2025-11-25');
    expect(await call({ ...session, 'mcp-protocol-version': '1999-01-01' }, 'ping')).toMatchObject({ status: 400 });
    expect(await call({ ...session, 'mcp-protocol-version': '2025-06-18' }, 'ping')).toMatchObject({ status: 200 });
  });

  it('turns into an event stream when something has to be said before the answer', async () => {
    const { session } = await initialize();
    const response = await call(session, 'tools/call', {
      name: 'probe_wait',
      arguments: { ms: 5 },
      _meta: { progressToken: 7 },
    });
    expect(response.headers['content-type']).toBe('text/event-stream');
    const messages = response.body
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => JSON.parse(line.slice(6)));
    expect(messages.at(-1)).toMatchObject({ id: 2, result: { structuredContent: { waited: 5 } } });
    expect(messages.filter(({ method }) => method === 'notifications/progress')).toHaveLength(2);
  });

  it('stays plain JSON for a client that takes nothing else', async () => {
    const { session } = await initialize();
    const response = await call({ ...session, accept: 'application/json' }, 'tools/call', {
      name: 'probe_wait',
      arguments: { ms: 5 },
      _meta: { progressToken: 7 },
    });
    expect(response).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
  });

  it('gives a client that was cut off the rest of its answer', async () => {
    const { session } = await initialize();
    const cut = await new Promise<string>((resolve, reject) => {
      void fetch(endpoint(), {
        method: 'POST',
        headers: { ...session, 'content-type': 'application/json' },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 3,
          method: 'tools/call',
          params: { name: 'probe_wait', arguments: { ms: 300 }, _meta: { progressToken: 1 } },
        }),
      }).then(async ({ body }) => {
        const reader = body!.getReader();
        let text = '';
        while (!/id: \w+-1\n/.test(text)) text += new TextDecoder().decode((await reader.read()).value);
        await reader.cancel();
        resolve(/id: (\w+-1)\n/.exec(text)![1]!);
      }, reject);
    });
    const resumed = await send(endpoint(), {
      headers: { ...session, accept: 'text/event-stream', 'last-event-id': cut },
    });
    expect(resumed.status).toBe(200);
    expect(resumed.body).toContain('"waited":300');
    expect(resumed.body).not.toContain('begun');
    expect(
      await send(endpoint(), { headers: { ...session, accept: 'text/event-stream', 'last-event-id': 'zz-99' } }),
    ).toMatchObject({ status: 400 });
  });

  it('ends a cancelled request’s response', async () => {
    const { session } = await initialize();
    const waiting = call(session, 'tools/call', { name: 'probe_wait', arguments: { ms: 60_000 } }, 5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(
      await postJson(
        endpoint(),
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } },
        { headers: session },
      ),
    ).toMatchObject({ status: 202 });
    expect((await waiting).body).not.toContain('waited');
  });

  it('takes null as not given', async () => {
    const { session } = await initialize();
    const answer = async (rest: string) =>
      (await postJson(endpoint(), `{"jsonrpc":"2.0","id":2,${rest}}`, { headers: session })).json();
    expect((await answer('"method":"tools/list","params":{"cursor":null}')).result.tools.length).toBeGreaterThan(0);
    for (const params of ['null', '{"_meta":null}', '{"_meta":{"progressToken":null}}'])
      expect(await answer(`"method":"ping","params":${params}`)).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
  });

  it('ends a session on DELETE; afterwards it is unknown', async () => {
    const { session } = await initialize();
    expect(await send(endpoint(), { method: 'DELETE', headers: session })).toMatchObject({ status: 200 });
    expect(await call(session, 'ping')).toMatchObject({ status: 404 });
    expect(await send(endpoint(), { method: 'DELETE', headers: session })).toMatchObject({ status: 404 });
  });

  it('wants initialize first, once, and a session afterwards', async () => {
    const { session } = await initialize();
    expect(await call(both, 'ping')).toMatchObject({ status: 400 });
    expect((await call(session, 'initialize', { protocolVersion: '2025-11-25' })).json().error).toMatchObject({
      code: -32600,
      message: expect.stringContaining('initialized already'),
    });
    expect(await send(endpoint(), { headers: both })).toMatchObject({ status: 400 });
    expect(await send(endpoint(), { method: 'PUT', headers: session })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST, DELETE' },
    });
    expect(await send(endpoint(), { headers: { ...session, accept: 'text/html' } })).toMatchObject({ status: 406 });
  });

  it('does not take a session of the other transport', async () => {
    const client = await connect();
    const { session } = await initialize();
    const sseId = new URL(client.endpoint).searchParams.get('sessionId')!;
    expect(await call({ ...both, 'mcp-session-id': sseId }, 'ping')).toMatchObject({ status: 404 });
    expect(
      await postJson(`${app.url}/api/mcp/messages?sessionId=${session['mcp-session-id']}`, {
        jsonrpc: '2.0',
        id: 1,
        method: 'ping',
      }),
    ).toMatchObject({ status: 404 });
  });

  describe('what a session sees of the catalogue', () => {
    const names = async (headers: Record<string, string>, query = '') => {
      const { session } = await initialize(headers, query);
      return ((await call(session, 'tools/list')).json().result.tools as { name: string }[])
        .map(({ name }) => name)
        .filter((name) => name.startsWith('probe_'));
    };

    it('is narrowed by toolsets, in the query, the header, or both', async () => {
      expect(await names({}, '?toolsets=hostfactory')).toEqual(['probe_refuse', 'probe_break', 'probe_outage']);
      expect(await names({ 'x-mcp-toolsets': 'tests, recipes' })).toEqual(['probe_echo', 'probe_wait', 'probe_flood']);
      expect(await names({ 'x-mcp-toolsets': 'tests' }, '?toolsets=hostfactory')).toEqual([]);
      expect(await names({}, '?toolsets=builds,recipes')).toEqual([]);
    });

    it('is narrowed to what changes nothing', async () => {
      expect(await names({}, '?readonly=1')).not.toContain('probe_wait');
      expect(await names({ 'x-mcp-readonly': 'true' }, '?toolsets=tests&readonly=0')).toEqual([
        'probe_echo',
        'probe_flood',
      ]);
      expect(await names({}, '?readonly=0')).toContain('probe_wait');
    });

    it('holds for calls too', async () => {
      const { session } = await initialize({}, '?toolsets=tests&readonly=1');
      expect(
        (await call(session, 'tools/call', { name: 'probe_wait', arguments: { ms: 1 } })).json().error,
      ).toMatchObject({ code: 1001 });
      expect((await call(session, 'tools/call', { name: 'probe_refuse' })).json().error).toMatchObject({ code: 1001 });
    });

    it('is refused for a toolset nobody knows, with those that are known', async () => {
      for (const path of ['/api/mcp/sse?toolsets=build', '/api/mcp?toolsets=nope']) {
        const response = path.includes('sse')
          ? await send(app.url + path)
          : (await initialize({}, '?toolsets=nope')).response;
        expect(response.status).toBe(400);
        expect(response.json().error.data).toMatchObject({
          reason: 'unknown_toolset',
          hint: expect.stringContaining('recipes, builds, vms, desktop, tests, hostfactory'),
        });
      }
      expect((await initialize({}, '?readonly=perhaps')).response.status).toBe(400);
    });
  });
});
