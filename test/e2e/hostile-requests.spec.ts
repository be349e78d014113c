import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import fc from 'fast-check';
import type { JsonSchema } from '#libs/platform';
import { startTestApp, type TestApp } from '../support/app.js';
import { FakeBuildPipeline } from '../support/fake-build-pipeline.js';
import { FakeMachines } from '../support/fake-machines.js';
import { send } from '../support/raw-client.js';
import { hostileValue, valuesOf } from '../support/values-of-schema.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- documents of the factory, looked into freely

/** The same inputs every time, so that who changed nothing breaks nothing; `HOSTILE_SEED=$RANDOM` tries others. */
const seed = Number(process.env.HOSTILE_SEED ?? 20261121);
/** What a victim owns has this word in its name; nobody else's answer may hold it. */
const marker = `victims-${randomUUID().slice(0, 8)}`;
const victim = { 'X-Forwarded-For': '203.0.113.9' };
const attacker = { 'X-Forwarded-For': '198.51.100.66' };
const pipeline = new FakeBuildPipeline();
let machines: FakeMachines;
let app: TestApp;
let dataDir: string;
let document: Json;
/** Ids of the victim's things, as an attacker who has found them out would use them. */
let stolen: string[];

const asVictim = async (route: string, init: RequestInit = {}): Promise<Json> => {
  const answer = await fetch(`${app.url}${route}`, {
    ...init,
    headers: { 'Content-Type': 'application/json', ...victim },
  });
  expect(answer.status).toBeLessThan(300);
  return await answer.json();
};

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-hostile-'));
  machines = await FakeMachines.create();
  app = await startTestApp({
    pipelineModule: pipeline.module,
    hypervisorModule: machines.module,
    environment: {
      OPENFACTORY_ROLES: 'api,worker',
      OPENFACTORY_DATA_DIR: dataDir,
      OPENFACTORY_TRUST_PROXY: 'loopback',
      OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      OPENFACTORY_VM_MIN_FREE_DISK_GB: '0',
    },
  });
  document = await (await fetch(`${app.url}/api/docs.json`)).json();
  const recipe = {
    name: marker,
    base_image: 'debian-bookworm',
    users: [{ username: 'ada', password: 'correct horse' }],
  };
  const { build_id } = await asVictim('/api/builds', { method: 'POST', body: JSON.stringify({ recipe }) });
  while ((await asVictim(`/api/builds/${build_id}/status`)).status !== 'completed') await sleep(20);
  const created = await asVictim('/api/vms', { method: 'POST', body: JSON.stringify({ build_id, name: marker }) });
  const { recipe_id } = await asVictim('/api/recipes/from-template', {
    method: 'POST',
    body: JSON.stringify({ template_id: (await asVictim('/api/recipes')).recipes[0].id, name: marker }),
  });
  stolen = [build_id, marker, created.vm_id ?? created.id ?? marker, recipe_id].map(String);
});
afterAll(async () => {
  await app?.stop();
  await pipeline.dispose();
  await rm(dataDir, { recursive: true, force: true });
});

interface Hostile {
  method: string;
  route: string;
  body: string | undefined;
  headers: Record<string, string>;
}

/** Requests that the OpenAPI document describes, more or less. */
function requests(): fc.Arbitrary<Hostile> {
  const definitions = document.components.schemas as Record<string, JsonSchema>;
  const operations = Object.entries<Json>(document.paths).flatMap(([route, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({ route, method: method.toUpperCase(), operation })),
  );
  return fc.oneof(
    ...operations.map(({ route, method, operation }) => requestsOf(route, method, operation, definitions)),
  );
}

function requestsOf(
  route: string,
  method: string,
  operation: Json,
  definitions: Record<string, JsonSchema>,
): fc.Arbitrary<Hostile> {
  const inPath = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const inQuery = ((operation.parameters ?? []) as Json[]).filter(({ in: place }) => place === 'query');
  const bodySchema = operation.requestBody?.content?.['application/json']?.schema as JsonSchema | undefined;
  const part = fc.oneof(fc.constantFrom(...stolen), fc.uuid(), hostileValue().map(asText));
  return fc
    .record({
      path: fc.tuple(...inPath.map(() => part)),
      query: fc.tuple(
        ...inQuery.map(({ schema }) =>
          fc.option(valuesOf((schema ?? {}) as JsonSchema, definitions), { nil: undefined }),
        ),
      ),
      body: bodySchema
        ? fc.oneof(
            { weight: 9, arbitrary: valuesOf(bodySchema, definitions).map((value) => JSON.stringify(value)) },
            { weight: 1, arbitrary: fc.string({ maxLength: 50 }) },
          )
        : fc.constant(undefined),
      idempotencyKey: fc.option(fc.oneof(fc.uuid(), fc.stringMatching(/^[ -~]{0,80}$/)), { nil: undefined, freq: 4 }),
    })
    .map(({ path: parts, query, body, idempotencyKey }): Hostile => {
      const filled = parts.reduce<string>(
        (text, value, index) =>
          text.replace(`{${inPath[index]}}`, encodeURIComponent(value.replace(/\p{Surrogate}/gu, '�')) || '%20'),
        route,
      );
      const search = new URLSearchParams(
        query.flatMap<[string, string]>((value, index) =>
          value === undefined ? [] : [[String(inQuery[index].name), asText(value)]],
        ),
      );
      return {
        method,
        route: `${filled}${search.size ? `?${search.toString()}` : ''}`,
        body: method === 'GET' ? undefined : body,
        headers: { ...(idempotencyKey !== undefined && { 'Idempotency-Key': idempotencyKey }) },
      };
    });
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

/** Reads an answer whole, or, of one that never ends, its beginning. */
async function answered({
  method,
  route,
  body,
  headers,
}: Hostile): Promise<{ status: number; text: string; type: string }> {
  const ending = new AbortController();
  const answer = await fetch(`${app.url}${route}`, {
    method,
    redirect: 'manual',
    signal: ending.signal,
    headers: { ...attacker, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    ...(body !== undefined && { body }),
  });
  const type = answer.headers.get('content-type') ?? '';
  if (!type.startsWith('text/event-stream')) return { status: answer.status, text: await answer.text(), type };
  ending.abort();
  return { status: answer.status, text: '', type };
}

/** A request as bytes, for what no HTTP client would send. @returns the status, 0 for a connection that was only closed */
async function sendBytes(text: string): Promise<number> {
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.end(text);
  const said = await readText(socket).catch(() => '');
  return Number(/^HTTP\/1.1 (\d{3})/.exec(said)?.[1] ?? 0);
}

describe('a request that is none', () => {
  const host = 'Host: 127.0.0.1';
  it.each<[string, string[]]>([
    ['a header folded into the next line', [`GET /api/recipes HTTP/1.1`, host, 'X-A: b', ' Set-Cookie: c=d']],
    ['a header with a bare LF in it', [`GET /api/recipes HTTP/1.1`, host, 'X-A: b\nHost: evil.example']],
    ['a NUL in a header', [`GET /api/recipes HTTP/1.1`, host, 'X-A: b\0c']],
    [
      'two lengths',
      [
        'POST /api/recipes/validate HTTP/1.1',
        host,
        'Content-Type: application/json',
        'Content-Length: 2',
        'Content-Length: 3',
        '',
        '{}',
      ],
    ],
    [
      'a length and an encoding',
      [
        'POST /api/recipes/validate HTTP/1.1',
        host,
        'Content-Type: application/json',
        'Content-Length: 2',
        'Transfer-Encoding: chunked',
        '',
        '0',
        '',
      ],
    ],
    ['two hosts', [`GET /api/recipes HTTP/1.1`, host, 'Host: evil.example']],
    ['the host of another', [`GET /api/recipes HTTP/1.1`, 'Host: evil.example']],
    ['headers without end', [`GET /api/recipes HTTP/1.1`, host, `Authorization: Bearer ${'a'.repeat(200_000)}`]],
    ['a space in the path', ['GET /api/recipes /x HTTP/1.1', host]],
  ])('%s is refused', async (_what, lines) => {
    const status = await sendBytes([...lines, '', ''].join('\r\n'));
    expect([0, 400, 403, 431]).toContain(status);
  });

  it.each([
    '/api/../../etc/passwd',
    '/assets/..%2f..%2f..%2fpackage.json',
    '/assets/%2e%2e%2findex.js',
    '/assets/..\\..\\package.json',
    '/assets/%00',
    '/api/downloads/..%2f..%2fsecret',
    '/api/builds/..%2f..%2fetc',
    '//etc/passwd',
    '/api/builds/%ff',
    '/.git/config',
    '/api/docs/..%2f..%2fpackage.json',
  ])('the path %s leads nowhere', async (where) => {
    const { status, body } = await send(app.url, { path: where });
    expect([400, 403, 404]).toContain(status);
    expect(body).not.toMatch(/root:|"dependencies"|\[core\]/);
  });

  it.each([
    `Bearer ${'a'.repeat(10_000)}`,
    'Bearer',
    'Bearer ',
    'Basic YTpi',
    'bearer null',
    'Bearer a b',
    'Bearer of_mcp_',
    "Bearer of_mcp_' OR 1=1 --",
    `Bearer ${'a.'.repeat(3_000)}`,
  ])('the credentials %# are refused, never taken for none', async (authorization) => {
    const answer = await send(`${app.url}/api/recipes`, { headers: { authorization } });
    expect(answer.json()).toMatchObject({ status: 401 });
    // A key by another scheme is not looked at (misplaced-credentials.ts).
    expect(answer.headers['www-authenticate']).toMatch(
      authorization.startsWith('Basic') ? /^Bearer error="invalid_request"/ : /^Bearer error="invalid_token"/,
    );
  });
});

describe('random input', () => {
  it('of the OpenAPI document never breaks the factory, and never shows what is another’s', async () => {
    await fc.assert(
      fc.asyncProperty(requests(), async (request) => {
        const { status, text, type } = await answered(request);
        expect(status).toBeLessThan(500);
        // Who is limited tries nothing.
        if (status === 429) expect(text).not.toContain('rate_limited');
        // An answer may hold what the request said.
        if (!JSON.stringify(request).includes(marker)) expect(text).not.toContain(marker);
        if (/^application\/(problem\+)?json\b/.test(type) && text) JSON.parse(text);
      }),
      { numRuns: 6_000, seed },
    );
  }, 600_000);

  it('of the tools’ schemas never breaks the factory, and never shows what is another’s', async () => {
    const client = new Client({ name: 'hostile', version: '1' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${app.url}/api/mcp`), { requestInit: { headers: attacker } }),
    );
    const { tools } = await client.listTools();
    const calls = fc.oneof(
      ...tools.map(({ name, inputSchema }) =>
        fc
          .oneof(
            valuesOf(inputSchema as JsonSchema),
            fc.constantFrom(...stolen).chain((id) => fc.constant({ build_id: id, vm_name: id, recipe_id: id, id })),
          )
          .map((value) => ({ name, value })),
      ),
    );
    await fc.assert(
      fc.asyncProperty(calls, async ({ name, value }) => {
        const result: Json = await client
          .callTool({ name, arguments: value as Record<string, unknown> })
          .catch((error: Json) => ({ code: error.code }));
        // Arguments that are no object, and nothing else, are an error of the protocol.
        if (result.code !== undefined) expect(result.code).toBe(-32602);
        if (!JSON.stringify(value ?? null).includes(marker)) expect(JSON.stringify(result)).not.toContain(marker);
      }),
      { numRuns: 4_000, seed },
    );
    await client.close();
  }, 600_000);

  it('has left the victim’s things where they were', async () => {
    expect((await asVictim('/api/builds')).builds.map(({ name, recipe_name }: Json) => name ?? recipe_name)).toEqual([
      marker,
    ]);
    expect((await asVictim(`/api/vms/${marker}`)).vm_name).toBe(marker);
    expect(await asVictim(`/api/recipes/${stolen[3]}`)).toMatchObject({ id: stolen[3] });
    expect((await fetch(`${app.url}/api/health/ready`)).status).toBe(200);
  });
});
