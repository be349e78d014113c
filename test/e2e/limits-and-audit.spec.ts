import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app.js';
import { AuditAdminFixtureModule, FixturePeople, signInFixtureUser } from '../support/audit-admin-fixture.module.js';
import { consoleEnding, openConsole, shakeHands, tokenOfUrl } from '../support/console-client.js';
import { consoleFixture, FixtureVms } from '../support/console-fixture.module.js';
import { FakeBuildPipeline } from '../support/fake-build-pipeline.js';
import { ProbeToolsModule } from '../support/probe-tools.module.js';
import { postJson, RawSseClient, send } from '../support/raw-client.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it freely

const open: RawSseClient[] = [];
afterEach(() => open.splice(0).forEach((client) => client.close()));
const connect = async (app: TestApp, options: Parameters<typeof RawSseClient.open>[1] = {}) => {
  const client = await RawSseClient.open(app.url, options);
  open.push(client);
  return client;
};
const as = (who: string) => ({ authorization: `Bearer ${who}` });
const times = async <T>(count: number, act: (turn: number) => Promise<T>): Promise<T[]> => {
  const all: T[] = [];
  for (let turn = 0; turn < count; turn++) all.push(await act(turn));
  return all;
};
const recipe = (name: string) => ({
  name,
  base_image: 'debian-bookworm',
  users: [{ username: 'ada', password: 'correct horse battery' }],
});
const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25' } };
const both = { accept: 'application/json, text/event-stream' };
/** As anybody’s factory; those of other tests are patient. */
const guessing = { OPENFACTORY_REFUSED_CREDENTIALS_PER_MINUTE: '30' };
const waitSeconds = expect.stringMatching(/^([1-9]|[1-5]\d|60)$/);

describe('calls that come too often', () => {
  let app: TestApp;
  const mostAnonymous = 10;
  const mostOfAddress = 60;
  beforeAll(async () => {
    app = await startTestApp({
      extraModules: [AuditAdminFixtureModule, ProbeToolsModule],
      environment: {
        OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: String(mostAnonymous),
        OPENFACTORY_CALLS_PER_MINUTE: '30',
        OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: String(mostOfAddress),
        ...guessing,
      },
    });
  });
  afterAll(() => app.stop());
  const get = (from: string, headers = {}) => send(`${app.url}/api/recipes/categories`, { from, headers });

  it('are refused over REST, with the numbers and when to come back', async () => {
    const from = '127.0.0.2';
    expect((await times(mostAnonymous, () => get(from))).map(({ status }) => status)).toEqual(
      Array(mostAnonymous).fill(200),
    );
    const refused = await get(from);
    expect(refused).toMatchObject({
      status: 429,
      headers: { 'retry-after': waitSeconds, 'content-type': expect.stringContaining('problem+json') },
    });
    expect(refused.json()).toMatchObject({
      reason: 'rate_limited',
      detail: expect.stringContaining(`More than ${mostAnonymous} calls in a minute`),
      hint: expect.stringContaining('API key'),
      request_id: expect.any(String),
    });
    expect((await get('127.0.0.3')).status).toBe(200);
    expect((await get(from, as('test-user'))).status).toBe(200);
    expect(
      (await times(20, () => send(`${app.url}/api/health/live`, { from }))).every(({ status }) => status === 200),
    ).toBe(true);
  });

  it('are refused over HTTP+SSE in the message: a tool call as its result, else as an error', async () => {
    const client = await connect(app, { from: '127.0.0.4' });
    const echo = { name: 'probe_echo', arguments: { text: 'a' } };
    for (let call = 1; call < mostAnonymous; call++)
      expect((await client.call('tools/call', echo)).result.isError).toBeUndefined();
    const { result } = await client.call('tools/call', echo);
    const error = {
      code: 1002,
      reason: 'rate_limited',
      message: expect.stringContaining(`More than ${mostAnonymous} calls`),
      hint: expect.any(String),
      retryable: true,
      retry_after_seconds: expect.any(Number),
    };
    expect(result).toMatchObject({ isError: true, _meta: { error } });
    expect(JSON.parse(result.content[1].text)).toMatchObject({ error });
    expect(result.structuredContent).toBeUndefined();
    expect((await client.call('tools/list')).error).toMatchObject({
      code: -32000,
      message: expect.stringContaining('calls in a minute'),
      data: { reason: 'rate_limited', retryable: true, retry_after_seconds: expect.any(Number) },
    });
    expect(await send(`${app.url}/api/mcp/sse`, { from: '127.0.0.4' })).toMatchObject({
      status: 429,
      headers: { 'retry-after': waitSeconds },
    });
  });

  it('are refused over Streamable HTTP likewise, and no further session is opened', async () => {
    const from = '127.0.0.5';
    const post = (message: object, headers: Record<string, string> = {}) =>
      postJson(`${app.url}/api/mcp`, message, { from, headers: { ...both, ...headers } });
    const session = { 'mcp-session-id': String((await post(initialize)).headers['mcp-session-id']) };
    const call = (id: number) =>
      post(
        { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'probe_echo', arguments: { text: 'a' } } },
        session,
      );
    for (let id = 1; id < mostAnonymous; id++) expect((await call(id)).json().result.isError).toBeUndefined();
    expect((await call(99)).json().result).toMatchObject({
      isError: true,
      _meta: { error: { reason: 'rate_limited' } },
    });
    expect((await post({ jsonrpc: '2.0', id: 100, method: 'prompts/list' }, session)).json()).toMatchObject({
      id: 100,
      error: { code: -32000, data: { reason: 'rate_limited' } },
    });
    expect(
      await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, session),
    ).toMatchObject({ status: 429 });
    const further = await post(initialize);
    expect(further).toMatchObject({ status: 429, headers: { 'retry-after': waitSeconds } });
    expect(further.json()).toMatchObject({
      id: null,
      error: { code: -32000, data: { reason: 'rate_limited', retry_after_seconds: expect.any(Number) } },
    });
  });

  it('are counted for their address too, whoever sends them, wherever to, and refused ones', async () => {
    const from = '127.0.0.6';
    const calls = [
      () => get(from, as('test-user')),
      () => postJson(`${app.url}/api/nothing`, {}, { from }),
      () => postJson(`${app.url}/api/auth/token`, '{"broken', { from }),
      () => get(from, as('test-key')),
    ];
    const statuses = (await times(mostOfAddress, (turn) => calls[turn % 4]!())).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 404, 400]));
    for (const call of calls)
      expect((await call()).json()).toMatchObject({
        status: 429,
        reason: 'rate_limited',
        detail: expect.stringContaining(`More than ${mostOfAddress} calls in a minute came from your address`),
      });
    const session = await postJson(`${app.url}/api/mcp`, initialize, {
      from,
      headers: { ...both, ...as('test-admin') },
    });
    expect(session.status).toBe(429);
  });

  it('with credentials that are refused again and again: nothing is looked at any more', async () => {
    const people = app.app.get(FixturePeople);
    const from = '127.0.0.7';
    const statuses = await times(
      30,
      async (turn) =>
        (turn % 3
          ? await get(from, as(`guess-${turn}`))
          : await send(`${app.url}/api/mcp/sse`, { from, headers: as(`test-expired-${turn}`) })
        ).status,
    );
    expect(statuses).toEqual(Array(30).fill(401));
    const { checks } = people;
    const refused = await times(10, (turn) => get(from, as(`guess-${turn}`)));
    for (const answer of refused)
      expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': waitSeconds } });
    expect(await send(`${app.url}/api/mcp/sse`, { from, headers: as('test-user') })).toMatchObject({ status: 429 });
    expect(people.checks).toBe(checks);
    expect((await get('127.0.0.8', as('test-user'))).status).toBe(200);
    // Who sends no credentials guesses none.
    expect((await get(from)).status).toBe(200);
  });
});

describe('anonymous callers', () => {
  let app: TestApp;
  const pipeline = new FakeBuildPipeline();
  const gib = 2 ** 30;
  beforeAll(async () => {
    app = await startTestApp({
      pipelineModule: pipeline.module,
      extraModules: [AuditAdminFixtureModule],
      environment: {
        OPENFACTORY_ROLES: 'api,worker',
        OPENFACTORY_ANONYMOUS_BUILDS: '2',
        OPENFACTORY_ANONYMOUS_BUILD_MINUTES_PER_DAY: '90',
        OPENFACTORY_ANONYMOUS_DISK_GB: '3',
        OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      },
    });
  });
  afterAll(async () => {
    await app.stop();
    await pipeline.dispose();
  });
  const create = (from: string, name: string, headers = {}) =>
    postJson(`${app.url}/api/builds`, { recipe: recipe(name) }, { from, headers });
  const completed = async (from: string): Promise<string> => {
    const id = (await create(from, 'done')).json().build_id as string;
    for (let tries = 0; tries < 500; tries++, await sleep(20))
      if ((await send(`${app.url}/api/builds/${id}/status`, { from })).json().status === 'completed') return id;
    throw new Error('The build was not completed.');
  };

  it('have a number of builds of their own, which others do not share', async () => {
    pipeline.script('held', { at: 'resolve', hold: true });
    expect((await times(2, () => create('127.0.0.2', 'held'))).map(({ status }) => status)).toEqual([202, 202]);
    const third = await create('127.0.0.2', 'held');
    expect(third.json()).toMatchObject({
      status: 429,
      reason: 'build_quota',
      detail: expect.stringContaining('2 builds'),
      hint: expect.stringContaining('API key has wider limits'),
    });
    expect((await times(3, () => create('127.0.0.2', 'held', as('test-user')))).map(({ status }) => status)).toEqual([
      202, 202, 202,
    ]);
    pipeline.release('held');
  });

  it('have minutes of building in a day, and are told when room comes', async () => {
    const from = '127.0.0.3';
    const id = await completed(from);
    await app.database.query(
      "UPDATE build SET started_at = now() - interval '5 hours', finished_at = now() - interval '3 hours' WHERE id = $1",
      [id],
    );
    const refused = await create(from, 'more');
    expect(refused.json()).toMatchObject({
      status: 429,
      reason: 'build_minutes_quota',
      detail: expect.stringMatching(
        /^Your builds ran for 120 minutes in the last 24 hours, and 90 is the most for an anonymous caller; room comes at \d{4}-.*Z at the earliest\.$/,
      ),
    });
    // The first half hour of five hours ago has to leave the day.
    expect(Math.abs(Number(refused.headers['retry-after']) - 19.5 * 3600)).toBeLessThan(60);
    const client = await connect(app, { from });
    expect(
      (await client.call('tools/call', { name: 'create_build', arguments: { recipe: recipe('more') } })).result,
    ).toMatchObject({
      isError: true,
      _meta: { error: { reason: 'build_minutes_quota', retry_after_seconds: expect.any(Number) } },
    });
    expect((await create('127.0.0.4', 'more')).status).toBe(202);
    // Deleting the build is no way around.
    expect((await send(`${app.url}/api/builds/${id}`, { method: 'DELETE', from })).status).toBe(204);
    expect((await create(from, 'more')).json()).toMatchObject({
      reason: 'build_minutes_quota',
      detail: expect.stringContaining('ran for 120 minutes'),
    });
    await app.database.query(
      "UPDATE spent_build_time SET started_at = now() - interval '30 hours', finished_at = now() - interval '23 hours' WHERE owner_id = $1",
      [`address:${from}`],
    );
    expect((await create(from, 'more')).status).toBe(202);
  });

  it('have room on disk for so much', async () => {
    const from = '127.0.0.5';
    const id = await completed(from);
    await app.database.query("UPDATE build_artifact SET size_bytes = $2 WHERE build_id = $1 AND name LIKE '%.iso'", [
      id,
      3 * gib,
    ]);
    expect((await create(from, 'more')).json()).toMatchObject({
      status: 429,
      reason: 'disk_quota',
      detail: 'Your builds and VMs take 3.0 GiB, and 3 GiB is the most for an anonymous caller.',
    });
    await app.database.query("UPDATE build_artifact SET size_bytes = 1 WHERE build_id = $1 AND name LIKE '%.iso'", [
      id,
    ]);
    expect((await create(from, 'more')).status).toBe(202);
  });

  it('can be turned off: every door says so, and what is public stays open', async () => {
    const closed = await startTestApp({
      extraModules: [AuditAdminFixtureModule],
      environment: { OPENFACTORY_ANONYMOUS: 'off', ...guessing },
    });
    try {
      const rest = await send(`${closed.url}/api/recipes`);
      expect(rest).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
      expect(rest.json()).toMatchObject({
        reason: 'credentials_required',
        hint: expect.stringContaining('Authorization'),
      });
      const refused = [
        await send(`${closed.url}/api/mcp/sse`),
        await postJson(`${closed.url}/api/mcp`, initialize, { headers: both }),
        await postJson(`${closed.url}/api/mcp/messages?sessionId=x`, { jsonrpc: '2.0', id: 1, method: 'ping' }),
      ];
      for (const answer of refused) {
        expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
        expect(answer.json().error.data).toMatchObject({ reason: 'credentials_required' });
      }
      for (const path of ['/api/health/live', '/api/health/ready', '/api/docs', '/api/docs.json', '/metrics'])
        expect([path, (await send(`${closed.url}${path}`)).status]).toEqual([path, 200]);
      expect((await send(`${closed.url}/console/vm`)).status).not.toBe(401);
      expect((await send(`${closed.url}/api/recipes`, { headers: as('test-user') })).status).toBe(200);
      expect(
        (await postJson(`${closed.url}/api/mcp`, initialize, { headers: { ...both, ...as('test-key') } })).status,
      ).toBe(200);
      // Coming without credentials is no guess.
      await times(40, () => send(`${closed.url}/api/recipes`));
      expect((await send(`${closed.url}/api/recipes`, { headers: as('test-user') })).status).toBe(200);
    } finally {
      await closed.stop();
    }
  });
});

describe('the audit log', () => {
  let app: TestApp;
  const pipeline = new FakeBuildPipeline();
  beforeAll(async () => {
    app = await startTestApp({
      pipelineModule: pipeline.module,
      extraModules: [AuditAdminFixtureModule, ProbeToolsModule],
      environment: {
        ...guessing,
        OPENFACTORY_ANONYMOUS_BUILDS: '1',
        OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      },
    });
  });
  afterAll(async () => {
    await app.stop();
    await pipeline.dispose();
  });
  const admin = (path: string) => send(`${app.url}/api/admin/${path}`, { headers: as('test-admin') });
  /** An entry is recorded when the answer is over, which may be a moment after its client has it. */
  const entries = async (query: string, count = 1): Promise<Json[]> => {
    let found: Json[] = [];
    for (let tries = 0; found.length < count && tries < 200; tries++, await sleep(20))
      found = (await admin(`audit?${query}`)).json().entries;
    return found;
  };
  const audited = recipe('audited');

  it('holds what was done over REST, and what was refused, and no reading', async () => {
    const from = '127.0.0.2';
    const owner = 'address%3A127.0.0.2';
    const made = await postJson(
      `${app.url}/api/builds`,
      { recipe: audited },
      { from, headers: { 'x-request-id': 'request-0001' } },
    );
    const id = made.json().build_id as string;
    await send(`${app.url}/api/builds/${id}`, { from });
    await postJson(`${app.url}/api/builds`, { recipe: audited }, { from });
    await send(`${app.url}/api/builds/${id}/cancel`, { method: 'POST', from });
    await send(`${app.url}/api/builds/00000000-0000-4000-8000-000000000000`, { method: 'DELETE', from });
    expect((await entries(`owner=${owner}`, 4)).reverse()).toEqual([
      {
        id: expect.any(String),
        at: expect.stringMatching(/Z$/),
        caller_kind: 'anonymous',
        owner_id: 'address:127.0.0.2',
        principal_id: 'address:127.0.0.2',
        key_id: null,
        address: '127.0.0.2',
        edge: 'rest',
        action: 'createBuild',
        object: id,
        result: 'ok',
        request_id: 'request-0001',
      },
      expect.objectContaining({ action: 'createBuild', object: null, result: 'build_quota' }),
      expect.objectContaining({ action: 'cancelBuild', object: id, result: 'ok' }),
      expect.objectContaining({
        action: 'deleteBuild',
        object: '00000000-0000-4000-8000-000000000000',
        result: 'build_not_found',
      }),
    ]);
  });

  it('holds what did not come as far as a route or a caller', async () => {
    const from = '127.0.0.3';
    await postJson(`${app.url}/api/nothing/with-a-token-in-it`, {}, { from });
    await postJson(`${app.url}/api/builds`, '{"broken', { from });
    await postJson(`${app.url}/api/builds`, { recipe: audited }, { from, headers: as('guess') });
    const found = await entries('address=127.0.0.3', 4);
    expect(found.map(({ action, result, owner_id }) => ({ action, result, owner_id }))).toEqual(
      expect.arrayContaining([
        { action: 'POST unrouted', result: 'route_not_found', owner_id: null },
        { action: 'createBuild', result: 'malformed_json', owner_id: 'address:127.0.0.3' },
        { action: 'authenticate', result: 'invalid_api_key', owner_id: null },
        { action: 'createBuild', result: 'invalid_api_key', owner_id: null },
      ]),
    );
    expect(JSON.stringify(found)).not.toContain('with-a-token');
  });

  it('holds the calls of tools that change something, by a key, refused ones too, and no others', async () => {
    const from = '127.0.0.4';
    const principal = 'principal=key%3A00000000-0000-4000-8000-000000000003';
    const client = await connect(app, { from, headers: as('test-key') });
    const call = async (name: string, args: object) =>
      (
        await client.post(
          {
            jsonrpc: '2.0',
            id: `${name}-${JSON.stringify(args).length}`,
            method: 'tools/call',
            params: { name, arguments: args },
          },
          { headers: as('test-key') },
        )
      ).status;
    expect([
      await call('probe_echo', { text: 'a' }),
      await call('probe_wait', { ms: 1 }),
      await call('create_build', { recipe: audited }),
      await call('retry_build', { build_id: 'no-such' }),
      await call('create_build', { wrong: 1 }),
    ]).toEqual([202, 202, 202, 202, 202]);
    const found = await entries(principal, 4);
    const rows = await app.database.query('SELECT id FROM build WHERE owner_id = $1', [
      'user:00000000-0000-4000-8000-000000000003',
    ]);
    expect(found).toHaveLength(4);
    expect(found.map(({ action, object, result }) => ({ action, object, result }))).toEqual(
      expect.arrayContaining([
        { action: 'probe_wait', object: null, result: 'ok' },
        { action: 'create_build', object: rows[0]!.id, result: 'ok' },
        { action: 'retry_build', object: 'no-such', result: 'build_not_found' },
        { action: 'create_build', object: null, result: 'invalid_arguments' },
      ]),
    );
    for (const entry of found)
      expect(entry).toMatchObject({
        edge: 'mcp',
        caller_kind: 'key',
        key_id: '00000000-0000-4000-8000-000000000003',
        address: from,
        request_id: expect.any(String),
      });
    const looking = await connect(app, { from: '127.0.0.5', path: '/api/mcp/sse?readonly=1' });
    expect(
      (await looking.call('tools/call', { name: 'create_build', arguments: { recipe: audited } })).error.code,
    ).toBe(1001);
    expect(await entries('address=127.0.0.5')).toMatchObject([{ action: 'create_build', result: 'unknown_tool' }]);
  });

  it('holds a flood of bad credentials as one entry a second', async () => {
    await times(60, (turn) => send(`${app.url}/api/recipes`, { from: '127.0.0.6', headers: as(`guess-${turn}`) }));
    const found = await entries('address=127.0.0.6&action=authenticate');
    expect(found.length).toBeLessThan(30);
    expect(found[0]).toMatchObject({ edge: 'rest', result: 'invalid_api_key', owner_id: null });
  });

  it('is for administrators, who filter it and go through it page by page', async () => {
    expect((await send(`${app.url}/api/admin/audit`)).json()).toMatchObject({
      status: 401,
      reason: 'credentials_required',
    });
    for (const path of ['audit', 'audit.csv', 'audit.jsonl']) {
      expect((await send(`${app.url}/api/admin/${path}`, { headers: as('test-user') })).json()).toMatchObject({
        status: 403,
        reason: 'admins_only',
      });
      expect((await send(`${app.url}/api/admin/${path}`, { headers: as('test-key') })).json()).toMatchObject({
        status: 403,
        reason: 'sign_in_required',
      });
    }
    const whole = (await admin('audit?limit=1000')).json();
    expect(whole.next).toBeNull();
    const pages: Json[] = [];
    for (let before: string | null = ''; before !== null;) {
      const page: Json = (await admin(`audit?limit=3${before && `&before=${before}`}`)).json();
      expect(page.entries.length).toBeLessThanOrEqual(3);
      pages.push(...page.entries);
      before = page.next;
    }
    expect(pages).toEqual(whole.entries);
    expect((await admin('audit?action=cancelBuild')).json().entries).toHaveLength(1);
    expect((await admin('audit?result=build_quota&since=2020-01-01')).json().entries).toHaveLength(1);
    expect((await admin('audit?until=2020-01-01')).json()).toEqual({ entries: [], next: null });
    for (const wrong of ['limit=1001', 'limit=0', 'before=x', 'since=yesterday', 'sort=at', 'action=a&action=b'])
      expect((await admin(`audit?${wrong}`)).json()).toMatchObject({ status: 400, reason: 'invalid_arguments' });
  });

  it('is exported whole or filtered, as CSV that no spreadsheet runs, and as JSON lines', async () => {
    await send(`${app.url}/api/recipes/${encodeURIComponent('=HYPERLINK("http://evil","x")')}`, {
      method: 'DELETE',
      from: '127.0.0.7',
    });
    await send(`${app.url}/api/vms/${encodeURIComponent('@sum(1)')}`, { method: 'DELETE', from: '127.0.0.7' });
    const listed = await entries('address=127.0.0.7', 2);
    const csv = await admin('audit.csv?address=127.0.0.7');
    expect(csv).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'text/csv; charset=utf-8; header=present',
        'content-disposition': 'attachment; filename="audit.csv"',
      },
    });
    const lines = csv.body.trim().split('\r\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe(
      'id,at,caller_kind,owner_id,principal_id,key_id,address,edge,action,object,result,request_id',
    );
    expect(lines[1]).toContain(`,"'=HYPERLINK(""http://evil"",""x"")",recipe_not_found,`);
    expect(lines[2]).toContain(`,'@sum(1),vm_not_found,`);
    const json = await admin('audit.jsonl?address=127.0.0.7');
    expect(json.headers['content-type']).toBe('application/jsonl; charset=utf-8');
    expect(
      json.body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(listed.reverse());
    expect((await admin('audit.jsonl')).body.trim().split('\n').length).toBeGreaterThan(10);
    expect((await admin('audit.csv?limit=5')).json()).toMatchObject({ status: 400 });
  });

  it('holds nothing that is secret', async () => {
    const [{ text }] = (await app.database.query(
      "SELECT string_agg(audit_entry::text, ' ') AS text FROM audit_entry",
    )) as [{ text: string }];
    expect(text).toContain('create_build');
    for (const secret of ['correct horse', 'battery', 'Bearer', 'guess', 'test-key', 'with-a-token'])
      expect([secret, text.includes(secret)]).toEqual([secret, false]);
  });
});

describe('consoles', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({
      extraModules: [AuditAdminFixtureModule],
      consoleModule: consoleFixture(),
      environment: guessing,
    });
    await signInFixtureUser(app.database);
    app.app.get(FixtureVms).add('screen');
  });
  afterAll(() => app.stop());
  const tokenFor = async (headers = {}) =>
    tokenOfUrl((await postJson(`${app.url}/api/vms/screen/console-url`, {}, { headers })).json().url as string);
  const opened = async (localAddress: string, token: string) => {
    const socket = openConsole(app.url, token, { localAddress });
    await shakeHands(socket);
    socket.terminate();
  };
  const entries = async () =>
    (await send(`${app.url}/api/admin/audit?action=open_console`, { headers: as('test-admin') })).json()
      .entries as Json[];

  it('that are opened are written down, with whose link it was', async () => {
    await opened('127.0.0.2', await tokenFor());
    await opened('127.0.0.3', await tokenFor(as('test-user')));
    expect(await entries()).toMatchObject([
      {
        edge: 'console',
        object: 'screen',
        result: 'ok',
        address: '127.0.0.3',
        caller_kind: 'user',
        principal_id: 'session:00000000-0000-4000-8000-000000000002',
        owner_id: 'address:screen',
      },
      {
        edge: 'console',
        object: 'screen',
        result: 'ok',
        address: '127.0.0.2',
        caller_kind: 'anonymous',
        principal_id: 'address:screen',
        owner_id: 'address:screen',
      },
    ]);
  });

  it('are shut to an address that guesses tokens', async () => {
    const from = { localAddress: '127.0.0.4' };
    const token = await tokenFor();
    for (let guess = 0; guess < 30; guess++)
      expect(await consoleEnding(openConsole(app.url, `guess${guess}`, from))).toEqual({
        code: 4403,
        reason: 'console_link_invalid',
      });
    expect(await consoleEnding(openConsole(app.url, token, from))).toEqual({ code: 4429, reason: 'rate_limited' });
    await opened('127.0.0.5', token);
    const found = (await entries()).filter(({ address }) => address === '127.0.0.4');
    expect(found[0]).toMatchObject({ result: 'rate_limited', owner_id: null });
    expect(found[1]).toMatchObject({ result: 'console_link_invalid', owner_id: null, object: null });
  });
});
