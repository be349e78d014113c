import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ArtifactStore } from '#libs/artifacts';
import { startTestApp, type TestApp } from '../support/app.js';
import { cloneDatabase } from '../support/database.js';
import { FakeBuildPipeline } from '../support/fake-build-pipeline.js';
import { postJson, RawStream, send } from '../support/raw-client.js';
import { addPerson, createKey, SessionFixtureModule } from '../support/session-fixture.module.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it freely

let app: TestApp;
let dataDir: string;
let client: Client;
const pipeline = new FakeBuildPipeline();
const queuedAtMost = 20;
const start = (
  fake: FakeBuildPipeline,
  more: { environment?: Record<string, string>; database?: TestApp['database'] } = {},
) =>
  startTestApp({
    pipelineModule: fake.module,
    extraModules: [SessionFixtureModule],
    ...more,
    environment: {
      OPENFACTORY_ROLES: 'api,worker',
      OPENFACTORY_DATA_DIR: dataDir,
      OPENFACTORY_BUILD_CONCURRENCY: '2',
      OPENFACTORY_BUILD_MAX_QUEUED_PER_CALLER: String(queuedAtMost),
      OPENFACTORY_ANONYMOUS_BUILDS: String(queuedAtMost),
      // Nothing is fetched in these tests; packages are not checked while the index is not loaded.
      OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      ...more.environment,
    },
  });

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-builds-'));
  app = await start(pipeline);
  client = new Client({ name: 'builds', version: '1.0.0' });
  await client.connect(new SSEClientTransport(new URL(`${app.url}/api/mcp/sse`)));
});
afterAll(async () => {
  await client?.close();
  await app?.stop();
  await pipeline.dispose();
  await rm(dataDir, { recursive: true, force: true });
});

const recipe = (name: string, more: object = {}) => ({
  name,
  base_image: 'debian-bookworm',
  features: ['ssh'],
  users: [{ username: 'ada', password: 'correct horse' }],
  ...more,
});
const call = async (name: string, args: object = {}): Promise<Json> => {
  const result = await client.callTool({ name, arguments: args as Record<string, unknown> });
  return result.isError ? { refused: (result._meta as Json).error } : result.structuredContent;
};
const api = async (where: string, init: RequestInit = {}): Promise<Json> => {
  const answer = await fetch(`${app.url}/api/builds${where}`, init);
  return {
    status: answer.status,
    headers: answer.headers,
    body: answer.status === 204 ? undefined : await answer.json(),
  };
};
const until = async (id: string, ...statuses: string[]): Promise<Json> => {
  for (const before = Date.now(); Date.now() - before < 25_000; await sleep(30)) {
    const state = await call('get_build_status', { build_id: id });
    if (statuses.includes(state.status)) return state;
  }
  throw new Error(
    `The build ${id} did not become ${statuses.join(' or ')}: ${JSON.stringify(await call('get_build_status', { build_id: id }))}`,
  );
};
const held = async (name: string, at: 'packages' | 'boot' | 'squashfs' = 'packages'): Promise<string> => {
  pipeline.script(name, { at, hold: true });
  const { build_id } = await call('create_build', { recipe: recipe(name) });
  for (let tries = 0; !pipeline.runs.some((run) => run.recipe === name) && tries < 500; tries++) await sleep(20);
  return build_id as string;
};

describe('a build that succeeds', () => {
  let id: string;
  it('is created at once and becomes an image', async () => {
    const before = Date.now();
    const created = await call('create_build', { recipe: recipe('story') });
    expect(Date.now() - before).toBeLessThan(20_000);
    expect(created).toMatchObject({
      build_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'story',
      status: 'pending',
      retry_of: null,
      next_step: expect.stringContaining('get_build_status'),
    });
    id = created.build_id;
    const state = await until(id, 'completed');
    expect(state).toMatchObject({
      progress: 100,
      verified: true,
      error: null,
      queue_position: null,
      estimated_seconds_left: null,
      next_step: expect.stringContaining('get_iso_download_url'),
    });
    expect(state.stages).toHaveLength(10);
    expect(state.stages[2]).toEqual({ stage: 'base', state: 'done', seconds: 0.01, from_cache: true });
  });

  it('is told whole, without a plain password', async () => {
    const build = await call('get_build', { build_id: id });
    expect(build).toMatchObject({
      build_id: id,
      recipe: { name: 'story', users: [{ password_hash: expect.stringMatching(/^\$y\$/) }] },
      artifacts: [
        { name: 'recipe.json' },
        { name: 'story.iso', media_type: 'application/x-iso9660-image', sha256: build.image_sha256 },
      ],
    });
    expect(JSON.stringify([build, await app.database.query('SELECT recipe, error FROM build')])).not.toContain(
      'correct horse',
    );
    expect((await api(`/${id}`)).body).toEqual(build);
    expect(await call('list_builds', { status_filter: 'completed' })).toMatchObject({
      builds: expect.arrayContaining([
        expect.objectContaining({ build_id: id, features: ['ssh'], base_image: 'debian-bookworm' }),
      ]),
    });
    expect(
      (await call('list_builds', { status_filter: 'failed' })).builds.map((one: Json) => one.build_id),
    ).not.toContain(id);
  });

  it('is downloaded by its signed URL, whole and in parts', async () => {
    const {
      url,
      sha256,
      size_bytes: size,
      file_name,
      expires_at,
    } = await call('get_iso_download_url', { build_id: id });
    expect(file_name).toBe('story.iso');
    expect(new Date(expires_at).getTime()).toBeGreaterThan(Date.now() + 10 * 60_000);
    // Credentials that are wrong do no harm: the URL alone is the permission.
    const whole = await fetch(url, { headers: { authorization: 'Bearer nonsense' } });
    const content = Buffer.from(await whole.arrayBuffer());
    expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-length': String(size),
      'content-type': 'application/x-iso9660-image',
      'content-disposition': 'attachment; filename="story.iso"',
      'x-checksum-sha256': sha256,
      etag: `"${sha256}"`,
      'accept-ranges': 'bytes',
    });
    const part = await send(url, { headers: { range: 'bytes=5-9' } });
    expect(part).toMatchObject({
      status: 206,
      body: content.subarray(5, 10).toString(),
      headers: { 'content-range': `bytes 5-9/${size}`, 'content-length': '5' },
    });
    expect((await send(url, { headers: { range: `bytes=${size}-` } })).headers).toMatchObject({
      'content-range': `bytes */${size}`,
      'content-type': expect.stringContaining('problem+json'),
    });
    expect((await send(url, { headers: { range: 'bytes=0-1', 'if-range': '"other"' } })).status).toBe(200);
    expect((await send(url, { headers: { 'if-none-match': `"${sha256}"` } })).status).toBe(304);
    expect(await send(url, { method: 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': String(size) },
    });
    expect(
      (await send(`${app.url}/api/builds/${id}/artifacts/story.iso`, { headers: { range: 'bytes=-4' } })).body,
    ).toBe(content.subarray(-4).toString());
  });

  it('is not downloaded by a URL that was changed or has expired', async () => {
    const { url } = await call('get_iso_download_url', { build_id: id });
    for (const forged of [
      `${url}A`,
      url.replace(/.$/, (last: string) => (last === 'A' ? 'B' : 'A')),
      `${app.url}/api/downloads/x`,
    ])
      expect((await send(forged)).json()).toMatchObject({ status: 403, reason: 'download_link_invalid' });
    const later = Date.now() + 16 * 60_000;
    const { now } = Date;
    const { build_id } = await call('create_build', { recipe: recipe('other-image') });
    await until(build_id, 'completed');
    const other = (await call('get_iso_download_url', { build_id })).url as string;
    expect(other).not.toBe(url);
    // The clock of the product is the clock of this process.
    const RealDate = globalThis.Date;
    globalThis.Date = class extends RealDate {
      constructor(...args: []) {
        super(...(args.length ? args : ([later] as unknown as [])));
      }
      static override now = () => later;
    } as DateConstructor;
    try {
      expect((await send(url)).json()).toMatchObject({ status: 403, reason: 'download_link_expired' });
    } finally {
      globalThis.Date = RealDate;
    }
    expect(Date.now).toBe(now);
  });

  it('is not downloaded any more once the key is revoked that asked for the URL, and what flows is cut off', async () => {
    const ada = await addPerson(app.database);
    const key = await createKey(app.url, ada);
    const created = await postJson(`${app.url}/api/builds`, { recipe: recipe('of-a-key') }, { headers: key.headers });
    const { build_id: own } = created.json();
    const completed = async () =>
      (await send(`${app.url}/api/builds/${own}/status`, { headers: key.headers })).json().status === 'completed';
    for (let tries = 0; !(await completed()) && tries < 800; tries++) await sleep(30);
    const { url } = (await postJson(`${app.url}/api/builds/${own}/download-url`, {}, { headers: key.headers })).json();
    expect(await send(url)).toMatchObject({ status: 200 });
    const store = app.app.get(ArtifactStore);
    const endless = jest.spyOn(store, 'open').mockImplementation(() =>
      Promise.resolve(
        Readable.from(
          (async function* () {
            yield Buffer.from('first bytes');
            await new Promise(() => undefined);
          })(),
        ),
      ),
    );
    const flowing = await RawStream.open(url);
    expect(flowing.closed).toBe(false);

    expect(await send(`${app.url}/api/mcp-keys/${key.id}`, { method: 'DELETE', headers: ada.headers })).toMatchObject({
      status: 204,
    });
    for (let tries = 0; !flowing.closed && tries < 500; tries++) await sleep(20);
    endless.mockRestore();
    expect(flowing.closed).toBe(true);
    expect((await send(url)).json()).toMatchObject({ status: 403, reason: 'download_link_revoked' });
  }, 60_000);

  it('has a log, whole, from a byte on, and its end', async () => {
    const log = await send(`${app.url}/api/builds/${id}/log`);
    expect(log).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'x-log-next': String(Buffer.byteLength(log.body)) },
    });
    expect(log.body.split('\n')).toEqual([
      expect.stringMatching(/^resolve: begun für story$/),
      ...Array.from({ length: 8 }, () => expect.any(String)),
      'evidence: begun für story',
      '',
    ]);
    expect((await send(`${app.url}/api/builds/${id}/log?from=9`)).body).toBe(log.body.slice(9));
    expect((await send(`${app.url}/api/builds/${id}/log?tail=1`)).body).toBe('evidence: begun für story\n');
    expect((await send(`${app.url}/api/builds/${id}/log?from=${Buffer.byteLength(log.body)}`)).body).toBe('');
    expect((await send(`${app.url}/api/builds/${id}/log?from=-1`)).status).toBe(400);
  });

  it('deletes with everything that it made', async () => {
    const { url } = await call('get_iso_download_url', { build_id: id });
    expect(await readdir(path.join(dataDir, 'artifacts'))).toContain(id);
    expect((await api(`/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await api(`/${id}`)).body).toMatchObject({ status: 404, reason: 'build_not_found' });
    expect((await send(url)).status).toBe(404);
    expect(await readdir(path.join(dataDir, 'artifacts'))).not.toContain(id);
  });
});

describe('while a build runs', () => {
  it('its events tell status and log, and end with it; who comes back hears the rest', async () => {
    const id = await held('follow');
    const answer = await fetch(`${app.url}/api/builds/${id}/events`);
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const decoder = new TextDecoder();
    let text = '';
    let released = false;
    for await (const chunk of answer.body!) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (!released && text.includes('packages: begun')) pipeline.release('follow');
      released ||= text.includes('packages: begun');
    }
    const frames = text.trim().split('\n\n');
    expect(frames.at(-1)).toContain('event: end');
    const states = frames
      .filter((frame) => frame.startsWith('event: status'))
      .map((frame) => JSON.parse(frame.split('data: ')[1]!));
    expect(states.at(-1)).toMatchObject({ status: 'completed', progress: 100 });
    const progress = states.map((state) => state.progress as number);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    const lines = frames
      .filter((frame) => frame.includes('event: log'))
      .flatMap((frame) =>
        frame
          .split('\n')
          .filter((line) => line.startsWith('data: '))
          .map((line) => line.slice(6)),
      );
    expect(lines).toHaveLength(10);
    const ids = frames.flatMap((frame) => /^id: (\d+)/m.exec(frame)?.[1] ?? []);
    const again = await send(`${app.url}/api/builds/${id}/events`, { headers: { 'last-event-id': ids[0]! } });
    expect(again.body).not.toContain('resolve: begun');
    expect(again.body).toContain('evidence: begun');
    expect(
      (await send(`${app.url}/api/builds/${id}/events`, { headers: { 'last-event-id': ids.at(-1)! } })).status,
    ).toBe(204);
  });

  it('is testing while the image is booted, gives no image yet, and cannot be retried or deleted', async () => {
    const id = await held('booting', 'boot');
    expect(await until(id, 'testing')).toMatchObject({ stage: 'boot', verified: null });
    expect(await call('get_iso_download_url', { build_id: id })).toMatchObject({
      refused: { reason: 'build_not_completed', hint: expect.stringContaining('get_build_status') },
    });
    expect(await call('retry_build', { build_id: id })).toMatchObject({ refused: { reason: 'build_not_retryable' } });
    expect((await api(`/${id}`, { method: 'DELETE' })).body).toMatchObject({ status: 409, reason: 'build_not_ended' });
    pipeline.release('booting');
    await until(id, 'completed');
    expect((await api(`/${id}/cancel`, { method: 'POST' })).body).toMatchObject({
      status: 409,
      reason: 'build_already_ended',
    });
  });

  it('is cancelled within a second, and built after all by a retry', async () => {
    const id = await held('regret');
    const before = Date.now();
    expect(await api(`/${id}/cancel`, { method: 'POST' })).toMatchObject({
      status: 202,
      body: { cancel_requested: true },
    });
    await until(id, 'cancelled');
    expect(Date.now() - before).toBeLessThan(20_000);
    expect((await api(`/${id}/cancel`, { method: 'POST' })).body).toMatchObject({ status: 'cancelled' });
    pipeline.script('regret', undefined);
    const [one, two] = await Promise.all(
      [1, 2].map(() => call('retry_build', { build_id: id, idempotency_key: 'again' })),
    );
    expect(one).toEqual(two);
    expect(one).toMatchObject({ retry_of: id, name: 'regret' });
    await until(one.build_id, 'completed');
  });
});

describe('a build that fails', () => {
  it('tells stage, lines, fault and what to do', async () => {
    pipeline.script('bad', { at: 'packages', fail: 'caller' });
    const { build_id } = await call('create_build', { recipe: recipe('bad') });
    const state = await until(build_id, 'failed');
    expect(state).toMatchObject({
      stage: 'packages',
      verified: null,
      error: {
        stage: 'packages',
        reason: 'unmet_dependencies',
        fault: 'caller',
        hint: 'Remove x from the recipe.',
        last_lines: ['E: line one', 'E: line two'],
        request_id: null,
      },
      next_step: expect.stringContaining('create_build'),
    });
    expect(state.stages.at(-1)).toMatchObject({ stage: 'packages', state: 'stopped' });
    expect(state.progress).toBeLessThan(100);
  });

  it('keeps the image that did not boot, unverified', async () => {
    pipeline.script('dark', { at: 'boot', fail: 'system' });
    const { build_id } = await call('create_build', { recipe: recipe('dark') });
    expect(await until(build_id, 'failed')).toMatchObject({
      verified: false,
      error: { fault: 'system' },
      next_step: expect.stringContaining('retry_build'),
    });
    expect((await api(`/${build_id}/artifacts`)).body.artifacts).toMatchObject([{ name: 'dark.iso' }]);
    expect((await send(`${app.url}/api/builds/${build_id}/artifacts/dark.iso`)).body).toBe(
      'an image that does not boot\n',
    );
    expect(await call('get_iso_download_url', { build_id })).toMatchObject({
      refused: { reason: 'build_not_completed' },
    });
  });

  it('keeps the details of a fault of ours to itself', async () => {
    pipeline.script('broken', { at: 'image', crash: new Error('secret detail of the inside') });
    const { build_id } = await call('create_build', { recipe: recipe('broken') });
    const state = await until(build_id, 'failed');
    expect(state.error).toMatchObject({
      reason: 'internal_error',
      fault: 'system',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(JSON.stringify(state)).not.toContain('secret detail');
  });
});

describe('what may be built', () => {
  it('takes a recipe as JSON text, a template by id, and a recipe of the caller’s own', async () => {
    expect(await call('create_build', { recipe: JSON.stringify(recipe('as-text')) })).toMatchObject({
      name: 'as-text',
    });
    const template = await call('create_build', { recipe_id: 'minimal-server' });
    expect(template).toMatchObject({ name: expect.any(String) });
    const own = await call('create_recipe_from_template', { template_id: 'minimal-server', name: 'my-own' });
    const built = await call('create_build', { recipe_id: own.recipe_id });
    expect(built).toMatchObject({ name: 'my-own' });
    expect(await call('get_build', { build_id: built.build_id })).toMatchObject({ recipe_id: own.recipe_id });
    for (const { build_id } of [template, built]) await until(build_id, 'completed');
  });

  it('refuses what is no recipe, both or neither, and what has no effect yet', async () => {
    for (const input of [{}, { recipe: recipe('x'), recipe_id: 'minimal-server' }, { recipe: null }])
      expect(await call('create_build', input)).toMatchObject({ refused: { reason: 'invalid_arguments' } });
    expect(await call('create_build', { recipe: { name: 'NO' } })).toMatchObject({
      refused: { reason: 'invalid_recipe', violations: expect.any(Array) },
    });
    expect(await call('create_build', { recipe: 'nonsense' })).toMatchObject({ refused: { code: 1002 } });
    expect(await call('create_build', { recipe_id: 'no-such' })).toMatchObject({
      refused: { reason: 'recipe_not_found' },
    });
    expect(
      await call('create_build', { recipe: recipe('x', { output: { formats: ['iso', 'qcow2'] } }) }),
    ).toMatchObject({
      refused: {
        reason: 'invalid_recipe',
        violations: [expect.objectContaining({ path: '/recipe/output/formats/1', code: 'not_effective_yet' })],
      },
    });
    for (const body of [null, [], 'x', { nonsense: 1 }])
      expect((await postJson(`${app.url}/api/builds`, body)).status).toBe(400);
  });

  it('creates once for one idempotency key, over REST too', async () => {
    const headers = { 'idempotency-key': 'rest-key' };
    const answers = await Promise.all(
      [1, 2, 3].map(() => postJson(`${app.url}/api/builds`, { recipe: recipe('once') }, { headers })),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.json().build_id)).size).toBe(1);
    expect(answers[0]!.headers.location).toBe(`${app.url}/api/builds/${answers[0]!.json().build_id}`);
    // None in the body is none that would win over the header's.
    expect(
      (await postJson(`${app.url}/api/builds`, { recipe: recipe('once'), idempotency_key: null }, { headers })).json(),
    ).toMatchObject({ build_id: answers[0]!.json().build_id });
    // The text of a recipe and the recipe are the same input.
    expect(
      (await postJson(`${app.url}/api/builds`, { recipe: JSON.stringify(recipe('once')) }, { headers })).status,
    ).toBe(202);
    expect((await postJson(`${app.url}/api/builds`, { recipe: recipe('twice') }, { headers })).json()).toMatchObject({
      status: 409,
      reason: 'idempotency_key_reused',
    });
  });
});

describe('callers', () => {
  it('cannot tell another’s build from none, by any route or tool', async () => {
    const other = (await postJson(`${app.url}/api/builds`, { recipe: recipe('theirs') }, { from: '127.0.0.7' })).json()
      .build_id as string;
    const without = (text: string, id: string) => text.replaceAll(id, 'ID').replace(/"request_id":"[^"]*"/, '');
    const ids = [other, randomUUID(), 'nonsense', 'x'.repeat(90), '../..'];
    for (const tool of ['get_build', 'get_build_status', 'get_iso_download_url', 'retry_build']) {
      const answers = await Promise.all(
        ids.map(async (id) =>
          without(JSON.stringify(await call(tool, { build_id: id })), id.length > 80 ? `${id.slice(0, 80)}…` : id),
        ),
      );
      expect([tool, new Set(answers).size]).toEqual([tool, 1]);
      expect(answers[0]).toContain('build_not_found');
    }
    const routes: [string, string][] = [
      ['GET', ''],
      ['GET', '/status'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
      ['POST', '/download-url'],
      ['DELETE', ''],
      ['GET', '/log'],
      ['GET', '/events'],
      ['GET', '/artifacts'],
      ['GET', '/artifacts/x.iso'],
    ];
    for (const [method, route] of routes) {
      const answers = await Promise.all(
        ids.slice(0, 3).map(async (id) =>
          send(`${app.url}/api/builds/${id}${route}`, { method }).then(({ status, body }) => ({
            status,
            body: without(body, id),
          })),
        ),
      );
      expect([method, route, new Set(answers.map(({ body }) => body)).size, answers[0]!.status]).toEqual([
        method,
        route,
        1,
        404,
      ]);
    }
    expect((await call('list_builds', { limit: 200 })).builds.map((build: Json) => build.build_id)).not.toContain(
      other,
    );
  });

  it('have a limit that a hundred creates at once cannot pass; what was taken is built', async () => {
    pipeline.script('flood', { at: 'resolve', hold: true });
    const from = '127.0.0.9';
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => postJson(`${app.url}/api/builds`, { recipe: recipe('flood') }, { from })),
    );
    const taken = answers.filter(({ status }) => status === 202).map((answer) => answer.json().build_id as string);
    expect(taken).toHaveLength(queuedAtMost);
    for (const answer of answers.filter(({ status }) => status !== 202))
      expect(answer.json()).toMatchObject({ status: 429, reason: 'build_quota' });
    const status = async (id: string) => (await send(`${app.url}/api/builds/${id}/status`, { from })).json();
    const positions = await Promise.all(taken.map(async (id) => (await status(id)).queue_position as number | null));
    expect(Math.max(...positions.map((position) => position ?? 0))).toBeGreaterThan(10);
    pipeline.release('flood');
    for (const before = Date.now(); Date.now() - before < 25_000; await sleep(100))
      if ((await Promise.all(taken.map(status))).every((state: Json) => state.status === 'completed')) break;
    expect((await Promise.all(taken.map(status))).map((state: Json) => state.status)).toEqual(
      taken.map(() => 'completed'),
    );
    expect(pipeline.mostAtOnce).toBe(2);
  });
});

it('a build goes on with another worker when its own is stopped', async () => {
  const first = new FakeBuildPipeline();
  const second = new FakeBuildPipeline();
  first.script('moving', { at: 'squashfs', hold: true });
  const database = await cloneDatabase();
  const one = await start(first, { database });
  const created = (await postJson(`${one.url}/api/builds`, { recipe: recipe('moving') })).json();
  for (let tries = 0; !first.runs.length && tries < 500; tries++) await sleep(20);
  await sleep(400);
  const before = (await send(`${one.url}/api/builds/${created.build_id}/status`)).json();
  expect(before).toMatchObject({ status: 'building', stage: 'squashfs' });
  const stopping = Date.now();
  await one.stop();
  expect(Date.now() - stopping).toBeLessThan(25_000);
  const two = await start(second, { database });
  try {
    let state: Json;
    for (const since = Date.now(); Date.now() - since < 20_000; await sleep(50)) {
      state = (await send(`${two.url}/api/builds/${created.build_id}/status`)).json();
      expect(state.progress).toBeGreaterThanOrEqual(before.progress as number);
      if (state.status === 'completed') break;
    }
    expect(state).toMatchObject({ status: 'completed', progress: 100 });
    expect((await send(`${two.url}/api/builds/${created.build_id}/log`)).body).toContain('The build goes on');
    expect(second.runs).toHaveLength(1);
  } finally {
    await two.stop();
    await database.drop();
    await second.dispose();
  }
}, 60_000);

it('a build goes on with another worker when its own died', async () => {
  const database = await cloneDatabase();
  const fake = new FakeBuildPipeline();
  const api = await start(fake, { database, environment: { OPENFACTORY_ROLES: 'api' } });
  const { build_id: id } = (await postJson(`${api.url}/api/builds`, { recipe: recipe('orphan') })).json();
  await api.stop();
  // What a worker leaves behind that was killed half a minute ago.
  await database.query(
    "UPDATE build SET status = 'building', stage = 'squashfs', progress = 70, fencing_token = 1 WHERE id = $1",
    [id],
  );
  await database.query(
    "UPDATE pgboss.job SET state = 'active', started_on = now() - interval '1 minute', heartbeat_on = now() - interval '31 seconds' WHERE name = 'build.run'",
  );
  const worker = await start(fake, { database });
  try {
    let state: Json;
    for (const since = Date.now(); Date.now() - since < 50_000 && state?.status !== 'completed'; await sleep(100))
      state = (await send(`${worker.url}/api/builds/${id}/status`)).json();
    expect(state).toMatchObject({ status: 'completed', progress: 100 });
    expect(fake.runs).toHaveLength(1);
    expect(await database.query('SELECT fencing_token, crashes FROM build')).toEqual([
      { fencing_token: 2, crashes: 1 },
    ]);
  } finally {
    await worker.stop();
    await database.drop();
    await fake.dispose();
  }
}, 90_000);
