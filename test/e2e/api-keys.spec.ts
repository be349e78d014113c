import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { startTestApp, type TestApp } from '../support/app.js';
import { openConsole, received, tokenOfUrl } from '../support/console-client.js';
import { consoleFixture, FixtureVms } from '../support/console-fixture.module.js';
import { ProbeToolsModule } from '../support/probe-tools.module.js';
import { postJson, RawSseClient, send } from '../support/raw-client.js';
import {
  addPerson,
  createKey,
  SessionFixtureModule,
  type TestKey,
  type TestPerson,
} from '../support/session-fixture.module.js';

let app: TestApp;
let ada: TestPerson;
const open: RawSseClient[] = [];

beforeAll(async () => {
  app = await startTestApp({ extraModules: [ProbeToolsModule, SessionFixtureModule], consoleModule: consoleFixture() });
  app.app.get(FixtureVms).add('screen');
  ada = await addPerson(app.database);
});
afterAll(async () => {
  open.forEach((client) => client.close());
  await app.stop();
});

const keyFor = (more: object) => createKey(app.url, ada, more);
const connect = async ({ headers }: { headers: Record<string, string> }, more: Record<string, string> = {}) => {
  const client = await RawSseClient.open(app.url, { headers: { ...headers, ...more } });
  open.push(client);
  return {
    call: async (method: string, params?: unknown) => {
      const id = Math.random();
      const { status, body } = await client.post(
        { jsonrpc: '2.0', id: String(id), method, ...(params !== undefined && { params }) },
        { headers },
      );
      if (status !== 202) throw new Error(`POST answered ${status}: ${body}`);
      await client.until(() => client.messages.some((message) => message.id === String(id)));
      return client.messages.find((message) => message.id === String(id));
    },
  };
};
type Connected = Awaited<ReturnType<typeof connect>>;
const toolsOf = async ({ call }: Connected): Promise<string[]> =>
  (await call('tools/list')).result.tools.map(({ name }: { name: string }) => name);
const echo = { name: 'probe_echo', arguments: { text: 'x' } };

describe('over MCP, a key', () => {
  it('works for its account, wherever it comes from', async () => {
    const key = await keyFor({});
    const { result } = await (await connect(key)).call('tools/call', echo);
    expect(result.structuredContent.owner).toBe(`user:${ada.id}`);
  });

  it('with toolsets lists their tools only, and calls no other', async () => {
    const session = await connect(await keyFor({ toolsets: ['recipes', 'tests'] }));
    const tools = await toolsOf(session);
    expect(tools).toEqual(expect.arrayContaining(['list_recipes', 'probe_echo', 'probe_wait']));
    expect(tools.filter((name) => /build|vm|probe_refuse/.test(name))).toEqual([]);
    expect((await session.call('tools/call', { name: 'list_builds' })).error).toMatchObject({ code: 1001 });
    expect((await session.call('tools/call', echo)).result.isError).toBeFalsy();
  });

  it('that may look lists and calls only what changes nothing', async () => {
    const session = await connect(await keyFor({ read_only: true }));
    const tools = await toolsOf(session);
    expect(tools).toEqual(expect.arrayContaining(['list_recipes', 'validate_recipe', 'list_builds', 'probe_echo']));
    for (const name of ['create_build', 'delete_vm', 'probe_wait']) {
      expect(tools).not.toContain(name);
      expect((await session.call('tools/call', { name })).error).toMatchObject({ code: 1001 });
    }
  });

  it('is narrowed by what the client asks for, never widened', async () => {
    const key = await keyFor({ toolsets: ['recipes', 'tests'], read_only: true });
    expect(await toolsOf(await connect(key, { 'x-mcp-toolsets': 'tests,builds' }))).toEqual([
      'probe_echo',
      'probe_flood',
    ]);
    expect(await toolsOf(await connect(key, { 'x-mcp-toolsets': 'builds,vms' }))).toEqual([]);
    const all = await toolsOf(await connect(key, { 'x-mcp-toolsets': 'all', 'x-mcp-readonly': '0' }));
    expect(all).toContain('list_recipes');
    expect(all.filter((name) => /build|vm|create_|probe_wait/.test(name))).toEqual([]);
    expect(await toolsOf(await connect(await keyFor({ toolsets: ['tests'] }), { 'x-mcp-readonly': '1' }))).toEqual([
      'probe_echo',
      'probe_flood',
    ]);
  });

  it('of the same account has no part in another’s session', async () => {
    const [mine, other] = [await keyFor({}), await keyFor({})];
    const client = await RawSseClient.open(app.url, { headers: mine.headers });
    open.push(client);
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    expect((await client.post(ping, { headers: other.headers })).status).toBe(404);
    expect((await client.post(ping, { headers: ada.headers })).status).toBe(404);
    expect((await client.post(ping)).status).toBe(404);
    expect((await client.post(ping, { headers: mine.headers })).status).toBe(202);
  });
});

describe('over REST, a key', () => {
  const ask = async ({ headers }: TestKey, path: string, method = 'GET', body?: object) => {
    const response = await send(app.url + path, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, answer: response.body ? response.json() : undefined };
  };

  it('with toolsets uses the routes of those only', async () => {
    const key = await keyFor({ toolsets: ['recipes'] });
    expect(await ask(key, '/api/recipes')).toMatchObject({ status: 200 });
    for (const path of ['/api/builds', '/api/builds/x/events', '/api/vms'])
      expect(await ask(key, path)).toMatchObject({
        status: 403,
        answer: { reason: 'toolset_not_allowed', hint: 'It may use: recipes.' },
      });
    expect(await ask(key, '/api/vms/screen/console-url', 'POST', {})).toMatchObject({
      status: 403,
      answer: { reason: 'toolset_not_allowed' },
    });
  });

  it('that may look reads and checks, and changes nothing', async () => {
    const key = await keyFor({ read_only: true });
    for (const path of ['/api/recipes', '/api/builds', '/api/vms'])
      expect(await ask(key, path)).toMatchObject({ status: 200 });
    expect(await ask(key, '/api/recipes/validate', 'POST', { recipe: {} })).toMatchObject({
      status: 200,
      answer: { valid: false },
    });
    const changes: [string, string, object?][] = [
      ['/api/recipes/from-template', 'POST', { template_id: 'debian-server', name: 'x' }],
      ['/api/recipes/x', 'DELETE'],
      ['/api/builds', 'POST', {}],
      ['/api/builds/x', 'DELETE'],
      ['/api/vms', 'POST', {}],
      ['/api/vms/screen', 'DELETE'],
    ];
    for (const change of changes)
      expect(await ask(key, ...change)).toMatchObject({ status: 403, answer: { reason: 'read_only' } });
  });

  it('that may look gets a console that can only be looked at, whatever it asks for', async () => {
    const key = await keyFor({ read_only: true });
    const { status, answer } = await ask(key, '/api/vms/screen/console-url', 'POST', { view_only: false });
    expect({ status, ...answer }).toMatchObject({ status: 200, view_only: true });
    const socket = openConsole(app.url, tokenOfUrl(answer.url as string));
    await once(socket, 'open');
    const update = Buffer.from([3, 1, 0, 0, 0, 0, 0, 9, 0, 9]);
    const heard = received(socket, 14 + update.length);
    // A key press among what a viewer may say: it does not arrive.
    socket.send(
      Buffer.concat([
        Buffer.from('RFB 003.008\n'),
        Buffer.from([1, 0]),
        Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]),
        update,
      ]),
    );
    expect(await heard).toEqual(Buffer.concat([Buffer.from('RFB 003.008\n'), Buffer.from([1, 1]), update]));
    socket.terminate();
  });

  it('shares what its account has, and the account what the key made', async () => {
    const [one, other] = [await keyFor({}), await keyFor({})];
    const made = await ask(one, '/api/recipes/from-template', 'POST', { template_id: 'debian-server', name: 'shared' });
    expect(made.status).toBe(201);
    expect(await ask(other, `/api/recipes/${made.answer.recipe_id}`)).toMatchObject({ status: 200 });
    expect(await send(`${app.url}/api/recipes/${made.answer.recipe_id}`, { headers: ada.headers })).toMatchObject({
      status: 200,
    });
    expect(await send(`${app.url}/api/recipes/${made.answer.recipe_id}`)).toMatchObject({ status: 404 });
    const bob = await addPerson(app.database);
    expect(await send(`${app.url}/api/recipes/${made.answer.recipe_id}`, { headers: bob.headers })).toMatchObject({
      status: 404,
    });
  });
});

describe('a key that is not valid', () => {
  it('is refused on every way in, in the same words, and is nowhere anonymous', async () => {
    const key = await keyFor({});
    expect(await send(`${app.url}/api/mcp-keys/${key.id}`, { method: 'DELETE', headers: ada.headers })).toMatchObject({
      status: 204,
    });
    const ways = [
      send(`${app.url}/api/mcp/sse`, { headers: key.headers }),
      postJson(
        `${app.url}/api/mcp`,
        { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} },
        { headers: key.headers },
      ),
      send(`${app.url}/api/recipes`, { headers: key.headers }),
      send(`${app.url}/api/mcp-keys`, { headers: key.headers }),
    ];
    for (const response of await Promise.all(ways)) {
      expect(response).toMatchObject({
        status: 401,
        headers: {
          'www-authenticate': 'Bearer error="invalid_token", error_description="Invalid API key"',
          'content-type': expect.stringContaining('json'),
        },
      });
      expect(response.body).toContain('Invalid API key');
    }
  });
});

it('writes down who used a key last, at the latest when the factory stops', async () => {
  const other = await startTestApp({ extraModules: [SessionFixtureModule], database: app.database });
  const key = await createKey(other.url, ada);
  await send(`${other.url}/api/recipes`, { headers: key.headers });
  await other.stop();
  const [row] = await app.database.query('SELECT last_used_from FROM mcp_key WHERE id = $1', [key.id]);
  expect(row).toEqual({ last_used_from: '127.0.0.1' });
});
