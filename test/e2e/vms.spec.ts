import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { consoleEnding, openConsole, shakeHands, tokenOfUrl } from '../support/console-client.js';
import { FakeBuildPipeline } from '../support/fake-build-pipeline.js';
import { FakeMachines } from '../support/fake-machines.js';
import { postJson, send } from '../support/raw-client.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it freely

const pipeline = new FakeBuildPipeline();
let machines: FakeMachines;
let app: TestApp;
let client: Client;
let dataDir: string;
let buildId: string;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-vms-'));
  machines = await FakeMachines.create();
  app = await startTestApp({
    pipelineModule: pipeline.module,
    hypervisorModule: machines.module,
    environment: {
      OPENFACTORY_ROLES: 'api,worker',
      OPENFACTORY_DATA_DIR: dataDir,
      // Nothing is fetched in these tests.
      OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      OPENFACTORY_VM_MIN_FREE_DISK_GB: '0',
      OPENFACTORY_VM_MEMORY_MB: '16384',
      OPENFACTORY_VM_CPU_OVERCOMMIT: '64',
    },
  });
  client = new Client({ name: 'vms', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${app.url}/api/mcp`)));
  buildId = await build('web');
});
afterAll(async () => {
  await client?.close();
  await app?.stop();
  await pipeline.dispose();
  await rm(dataDir, { recursive: true, force: true });
});

const recipe = (name: string) => ({
  name,
  base_image: 'debian-bookworm',
  users: [{ username: 'ada', password: 'correct horse' }],
});
/** What a client of the tools sees: the structured answer, the refusal, or the error. */
const call = async (name: string, args: object = {}): Promise<Json> => {
  const result = await client
    .callTool({ name, arguments: args as Record<string, unknown> })
    .catch((error: Json) => ({ error }));
  if ('error' in result) return { broken: { code: result.error.code, ...result.error.data } };
  return result.isError ? { refused: (result._meta as Json).error } : result.structuredContent;
};
const api = async (where: string, init: RequestInit = {}): Promise<Json> => {
  const answer = await fetch(`${app.url}/api/vms${where}`, init);
  return {
    status: answer.status,
    headers: answer.headers,
    body: answer.status === 204 ? undefined : await answer.json(),
  };
};
const post = async (where: string, body: unknown = {}, more: object = {}): Promise<Json> =>
  (await postJson(`${app.url}/api/vms${where}`, body, more)).json();
const build = async (name: string, ...until: string[]): Promise<string> => {
  const { build_id } = (await postJson(`${app.url}/api/builds`, { recipe: recipe(name) })).json();
  for (let tries = 0; tries < 1_000; tries++) {
    const { status } = (await send(`${app.url}/api/builds/${build_id}/status`)).json();
    if ((until.length ? until : ['completed']).includes(status as string)) return build_id as string;
    await sleep(20);
  }
  throw new Error(`The build ${name} came to no end.`);
};
const create = async (name: string, more: object = {}): Promise<Json> =>
  await call('create_vm', { build_id: buildId, name, ...more });
const drop = async (name: string) =>
  expect(await call('delete_vm', { vm_name: name })).toEqual({ vm_name: name, deleted: true });

describe('the life of a VM', () => {
  it('over MCP: created, seen, used, stopped, started, deleted', async () => {
    expect(await create('story')).toMatchObject({
      vm_name: 'story',
      build_id: buildId,
      state: 'running',
      restored_from_snapshot: true,
      memory_mb: 1024,
      vcpus: 2,
      network: 'none',
      error: null,
      next_step: expect.stringContaining('screenshot_vm'),
    });
    expect(await call('list_vms', { build_id: buildId })).toMatchObject({
      total: 1,
      vms: [{ vm_name: 'story', notice: expect.stringContaining('Anonymous') }],
    });
    const seen = (await client.callTool({ name: 'screenshot_vm', arguments: { vm_name: 'story' } })) as Json;
    expect(seen.structuredContent).toEqual({ vm_name: 'story', width: 640, height: 480 });
    expect(seen.content).toEqual([
      { type: 'text', text: JSON.stringify(seen.structuredContent) },
      { type: 'image', mimeType: 'image/png', data: expect.any(String) },
    ]);
    expect(
      Buffer.from(seen.content[1].data as string, 'base64')
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
    const used = (await client.callTool({
      name: 'interact_vm',
      arguments: {
        vm_name: 'story',
        actions: JSON.stringify([
          { type: 'click', x: 5, y: 6 },
          { type: 'screenshot' },
          { type: 'key', key: 'ctrl+c' },
        ]),
      },
    })) as Json;
    expect(used.structuredContent).toEqual({
      vm_name: 'story',
      performed: 3,
      total: 3,
      failure: null,
      layout: expect.stringContaining('US layout'),
      pictures: [
        { width: 640, height: 480 },
        { width: 640, height: 480 },
      ],
    });
    expect(used.content.map(({ type }: Json) => type)).toEqual(['text', 'image', 'image']);
    expect(
      await call('interact_vm', {
        vm_name: 'story',
        actions: [{ type: 'key', key: 'Return' }],
        screenshot_after: false,
      }),
    ).toMatchObject({ performed: 1, pictures: [] });
    expect(await call('stop_vm', { vm_name: 'story' })).toMatchObject({
      state: 'stopped',
      reason: 'stopped_by_caller',
      next_step: expect.stringContaining('start_vm'),
    });
    expect(await call('screenshot_vm', { vm_name: 'story' })).toMatchObject({
      refused: { reason: 'vm_not_running', hint: expect.stringContaining('start_vm') },
    });
    expect(await call('start_vm', { vm_name: 'story' })).toMatchObject({
      state: 'running',
      restored_from_snapshot: false,
    });
    expect(await call('start_vm', { vm_name: 'story' })).toMatchObject({ state: 'running' });
    await drop('story');
    expect(await call('list_vms')).toEqual({ vms: [], total: 0 });
    expect(machines.running).toBe(0);
  });

  it('over REST, the same', async () => {
    const made = await postJson(`${app.url}/api/vms`, { build_id: buildId, name: 'rest' });
    expect(made).toMatchObject({ status: 202, headers: { location: `${app.url}/api/vms/rest` } });
    expect(made.json()).toMatchObject({ vm_name: 'rest', state: 'running' });
    expect((await api('/rest')).body).toMatchObject({ vm_name: 'rest' });
    expect((await api('?build_id=' + buildId)).body).toMatchObject({ total: 1 });
    const picture = await fetch(`${app.url}/api/vms/rest/screenshot`);
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(
      Buffer.from(await picture.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
    expect(await post('/rest/interact', { actions: [{ type: 'move', x: 1, y: 1 }] })).toMatchObject({
      performed: 1,
      failure: null,
      images: [expect.any(String)],
    });
    expect(await post('/rest/snapshots', { name: 'clean' })).toMatchObject({ name: 'clean' });
    expect(await post('/rest/snapshots/clean/restore')).toMatchObject({ status: 409, reason: 'vm_not_stopped' });
    expect(await post('/rest/stop', { force: true })).toMatchObject({ state: 'stopped', reason: 'forced_off' });
    expect((await api('/rest/snapshots')).body).toMatchObject({ snapshots: [{ name: 'clean' }] });
    expect((await api('/rest/snapshots/clean/restore', { method: 'POST' })).status).toBe(204);
    expect((await api('/rest/snapshots/clean', { method: 'DELETE' })).status).toBe(204);
    expect(await post('/rest/start')).toMatchObject({ state: 'running' });
    expect((await api('/rest', { method: 'DELETE' })).status).toBe(204);
    expect((await api('/rest')).body).toMatchObject({ status: 404, reason: 'vm_not_found' });
  });

  it('is created once for one idempotency key', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => create('once', { idempotency_key: 'k' })));
    expect(new Set(answers.map(({ vm_id }) => vm_id)).size).toBe(1);
    expect(await create('twice', { idempotency_key: 'k' })).toMatchObject({
      refused: { reason: 'idempotency_key_reused' },
    });
    expect(await create('once')).toMatchObject({ refused: { reason: 'vm_name_taken' } });
    expect(await create('once', { idempotency_key: 'k' })).toMatchObject({ vm_name: 'once' });
    await drop('once');
  });
});

describe('bad input', () => {
  it.each(['a,b', 'a/b', "a'b", 'a"b', 'a\nb', 'a\n', '', 'Web', '-x', 'x'.repeat(64), 'of-mine'])(
    'a name such as %j is refused',
    async (name) => {
      expect(await create(name)).toMatchObject({
        refused: { reason: 'invalid_arguments', violations: [{ path: '/name' }] },
      });
      expect(await post('', { build_id: buildId, name })).toMatchObject({ status: 400, reason: 'invalid_arguments' });
      // As the name of a VM it is that of none.
      if (name)
        for (const tool of ['start_vm', 'stop_vm', 'delete_vm', 'screenshot_vm'])
          expect(await call(tool, { vm_name: name })).toMatchObject({ refused: { reason: 'vm_not_found' } });
    },
  );

  it.each([
    { memory_mb: 1 },
    { memory_mb: 1e9 },
    { memory_mb: 1_000_000 },
    { memory_mb: 'much' },
    { vcpus: 0 },
    { vcpus: 1e9 },
    { vcpus: 1.5 },
    { network: 'host' },
    { disk: 1 },
  ])('a machine of %j is refused', async (more) => {
    expect(await create('odd', more)).toMatchObject({
      refused: {
        reason: 'invalid_arguments',
        violations: expect.arrayContaining([expect.objectContaining({ path: `/${Object.keys(more)[0]}` })]),
      },
    });
  });

  it('a build that failed, has no image, or is another’s is refused', async () => {
    pipeline.script('bad', { at: 'packages', fail: 'caller' });
    pipeline.script('dark', { at: 'boot', fail: 'caller' });
    for (const name of ['bad', 'dark'])
      expect(await call('create_vm', { build_id: await build(name, 'failed') })).toMatchObject({
        refused: { reason: 'build_not_completed', hint: expect.stringContaining('get_build_status') },
      });
    const gone = await build('gone');
    await app.database.query('DELETE FROM build_artifact WHERE build_id = $1', [gone]);
    expect(await call('create_vm', { build_id: gone })).toMatchObject({ refused: { reason: 'build_without_image' } });
    const without = (answer: Json, id: string) =>
      JSON.stringify(answer)
        .replaceAll(id, 'ID')
        .replace(/"request_id":"[^"]*"/, '');
    const answers = await Promise.all(
      [randomUUID(), 'nonsense', buildId].map(async (id) =>
        without(await post('', { build_id: id }, { from: '127.0.0.7' }), id),
      ),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('build_not_found');
  });

  it('another’s VM is none, by every tool and route', async () => {
    await create('mine');
    const from = '127.0.0.7';
    const routes: [string, string][] = [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/start'],
      ['POST', '/stop'],
      ['GET', '/screenshot'],
      ['POST', '/console-url'],
      ['GET', '/snapshots'],
      ['POST', '/snapshots/x/restore'],
      ['DELETE', '/snapshots/x'],
    ];
    const without = (text: string, name: string) => text.replaceAll(name, 'NAME').replace(/"request_id":"[^"]*"/, '');
    for (const [method, route] of routes) {
      const answers = await Promise.all(
        ['mine', 'none'].map(async (name) => ({
          name,
          ...(await send(`${app.url}/api/vms/${name}${route}`, { method, from })),
        })),
      );
      expect([method, route, ...answers.map(({ status }) => status)]).toEqual([method, route, 404, 404]);
      expect(without(answers[0]!.body, 'mine')).toBe(without(answers[1]!.body, 'none'));
    }
    expect((await send(`${app.url}/api/vms`, { from })).json()).toEqual({ vms: [], total: 0 });
    expect(await post('/mine/interact', { actions: [] }, { from })).toMatchObject({
      status: 404,
      reason: 'vm_not_found',
    });
    await drop('mine');
  });
});

describe('actions', () => {
  beforeAll(() => create('hands').then(() => undefined));
  afterAll(() => drop('hands'));
  const interact = (actions: unknown, more: object = {}) => call('interact_vm', { vm_name: 'hands', actions, ...more });
  const inputs = () => machines.guests.at(-1)!.inputs.length;

  it.each([
    ['that are not JSON', 'click here', 'invalid_arguments', '/actions'],
    ['that are an object', { type: 'click' }, 'invalid_arguments', '/actions'],
    ['that are numbers', [1], 'invalid_arguments', '/actions'],
    [
      'by the thousand',
      Array.from({ length: 1_000 }, () => ({ type: 'key', key: 'a' })),
      'invalid_actions',
      '/actions',
    ],
    [
      'outside the screen',
      [
        { type: 'key', key: 'a' },
        { type: 'click', x: 640, y: 0 },
      ],
      'invalid_actions',
      '/actions/1/x',
    ],
    ['with an unknown key', [{ type: 'key', key: 'Hyperspace' }], 'invalid_actions', '/actions/0/key'],
    [
      'that wait for an hour',
      [
        { type: 'click', x: 1, y: 1 },
        { type: 'wait', duration: 3_600 },
      ],
      'invalid_actions',
      '/actions/1/duration',
    ],
    ['of an unknown type', [{ type: 'explode' }], 'invalid_actions', '/actions/0/type'],
    [
      'with too many pictures',
      Array.from({ length: 4 }, () => ({ type: 'screenshot' })),
      'invalid_actions',
      '/actions/3',
    ],
  ])('%s are refused before any is performed', async (_what, actions, reason, where) => {
    const before = inputs();
    expect(await interact(actions)).toMatchObject({
      refused: { reason, violations: expect.arrayContaining([expect.objectContaining({ path: where })]) },
    });
    expect(inputs()).toBe(before);
  });

  it('give at most three pictures', async () => {
    expect(
      (
        await interact([
          { type: 'screenshot' },
          { type: 'screenshot' },
          { type: 'screenshot' },
          { type: 'wait', duration: 0 },
        ])
      ).pictures,
    ).toHaveLength(3);
    expect((await interact([{ type: 'screenshot' }])).pictures).toHaveLength(1);
  });

  it('of ten callers at once come one after the other', async () => {
    const before = inputs();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_none, caller) =>
        interact([
          { type: 'move', x: caller, y: 0 },
          { type: 'wait', duration: 0.02 },
          { type: 'move', x: caller, y: 1 },
        ]),
      ),
    );
    for (const answer of answers) expect(answer).toMatchObject({ performed: 3, failure: null });
    const moves = machines.guests
      .at(-1)!
      .inputs.slice(before)
      .flat()
      .flatMap((event) => (event.kind === 'move' ? [event.x] : []));
    expect(moves).toHaveLength(20);
    for (let at = 0; at < 20; at += 2) expect(moves[at]).toBe(moves[at + 1]);
  });

  it('of a caller who goes away are not performed any more', async () => {
    const away = new AbortController();
    const before = inputs();
    const asked = fetch(`${app.url}/api/vms/hands/interact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        actions: [
          { type: 'wait', duration: 25 },
          { type: 'move', x: 1, y: 1 },
        ],
      }),
      signal: away.signal,
    });
    await sleep(300);
    away.abort();
    await expect(asked).rejects.toThrow();
    // The next one waits for its turn, and gets it.
    expect(await interact([{ type: 'key', key: 'a' }])).toMatchObject({ performed: 1 });
    const moved = machines.guests
      .at(-1)!
      .inputs.slice(before)
      .flat()
      .filter(({ kind }) => kind === 'move');
    expect(moved).toEqual([]);
  });

  it('end with an error when the VM does', async () => {
    await create('mortal');
    const guest = machines.guests.at(-1)!;
    const asked = call('interact_vm', { vm_name: 'mortal', actions: [{ type: 'wait', duration: 25 }] });
    await sleep(300);
    guest.die({ why: 'failed', detail: 'it was killed' });
    expect(await asked).toMatchObject({ broken: { code: 1002, reason: 'guest_ended' } });
    expect((await call('list_vms')).vms.find(({ vm_name }: Json) => vm_name === 'mortal')).toMatchObject({
      state: 'failed',
      reason: 'guest_died',
    });
    await drop('mortal');
  });
});

describe('an open console', () => {
  async function opened(name: string) {
    const { url } = await call('get_vm_console_url', { vm_name: name });
    const socket = openConsole(app.url, tokenOfUrl(url as string));
    await shakeHands(socket);
    return socket;
  }

  /** A screen that says what is said to it, and goes on when its guest has ended: only the news of the VM can close it. */
  function outlivingScreen() {
    const [ours, theirs] = duplexPair();
    theirs.pipe(theirs);
    return Promise.resolve(ours);
  }

  it.each<[string, object, object, object]>([
    ['stop_vm', {}, { code: 4410, reason: 'guest_ended' }, { code: 4409, reason: 'vm_not_running' }],
    ['stop_vm', { force: true }, { code: 4410, reason: 'guest_ended' }, { code: 4409, reason: 'vm_not_running' }],
    ['delete_vm', {}, { code: 4410, reason: 'guest_ended' }, { code: 4404, reason: 'vm_not_found' }],
  ])('is closed by %s %j, even one whose screen outlives its guest', async (tool, args, withGuest, withAccess) => {
    await create('watched');
    const first = await opened('watched');
    machines.guests.at(-1)!.openScreen = outlivingScreen;
    const second = await opened('watched');
    const endings = Promise.all([first, second].map(consoleEnding));
    expect(await call(tool, { vm_name: 'watched', ...args })).not.toHaveProperty('refused');
    expect(await endings).toEqual([withGuest, withAccess]);
    if (tool !== 'delete_vm') await drop('watched');
  });

  it('is refused for a VM that does not run', async () => {
    await create('still');
    const { url } = await call('get_vm_console_url', { vm_name: 'still' });
    await call('stop_vm', { vm_name: 'still', force: true });
    expect(await call('get_vm_console_url', { vm_name: 'still' })).toMatchObject({
      refused: { reason: 'vm_not_running' },
    });
    expect(await consoleEnding(openConsole(app.url, tokenOfUrl(url as string)))).toEqual({
      code: 4409,
      reason: 'vm_not_running',
    });
    await drop('still');
  });
});

it('a process that runs no VMs says so', async () => {
  await create('elsewhere');
  const other = await startTestApp({
    database: app.database,
    hypervisorModule: machines.module,
    pipelineModule: pipeline.module,
  });
  try {
    expect((await send(`${other.url}/api/vms`)).json()).toMatchObject({
      vms: [{ vm_name: 'elsewhere', state: 'running' }],
    });
    expect((await send(`${other.url}/api/vms/elsewhere/screenshot`)).json()).toMatchObject({
      status: 503,
      reason: 'vm_host_elsewhere',
    });
    expect((await postJson(`${other.url}/api/vms`, { build_id: buildId })).json()).toMatchObject({
      status: 503,
      reason: 'vm_host_elsewhere',
    });
  } finally {
    await other.stop();
  }
  await drop('elsewhere');
});
