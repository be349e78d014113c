import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import {
  CallerService,
  loadSettings,
  PlatformModule,
  Revocations,
  schemaOf,
  setUpHttp,
  type DtoClass,
} from '#libs/platform';
import { McpModule } from '#libs/mcp';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.js';
import { postJson, send } from '../../../test/support/raw-client.js';
import { addPerson, SessionFixtureModule, type TestPerson } from '../../../test/support/session-fixture.module.js';
import { makeApiKey } from './api-key.js';
import { KeyUsage } from './key-usage.js';
import { McpKeyRepository, mostKeysPerAccount } from './mcp-key.repository.js';
import { CreatedMcpKey, McpKeyList } from './mcp-keys.dto.js';
import { McpKeysJobs } from './mcp-keys.jobs.js';
import { McpKeyService } from './mcp-key.service.js';
import { McpKeysModule } from './mcp-keys.module.js';
import { mcpKeyEntities } from './index.js';

let database: TestDatabase;
let app: NestExpressApplication;
let url: string;
let ada: TestPerson;
let bob: TestPerson;

beforeAll(async () => {
  database = await cloneDatabase();
  const { settings } = loadSettings({
    OPENFACTORY_PORT: '0',
    OPENFACTORY_LOG_LEVEL: 'silent',
    OPENFACTORY_DATA_DIR: '/tmp/openfactory-test-data',
    DATABASE_URL: database.url,
    OPENFACTORY_SECRET: 'x'.repeat(32),
  });
  const gateway = McpModule.forRoot({
    serverInfo: { name: 'x', title: 'x', version: '1', description: 'x' },
    instructions: '',
    toolsets: ['builds', 'vms'],
  });
  const module = await Test.createTestingModule({
    imports: [
      PlatformModule.forRoot({ settings, databaseUrl: database.url, secret: 'x'.repeat(32), entities: mcpKeyEntities }),
      gateway,
      McpKeysModule,
      SessionFixtureModule,
    ],
  }).compile();
  app = module.createNestApplication<NestExpressApplication>({ bodyParser: false, logger: false });
  setUpHttp(app, settings, []);
  await app.listen(0, '127.0.0.1');
  settings.boundTo((app.getHttpServer().address() as AddressInfo).port);
  url = `${settings.publicUrl}/api/mcp-keys`;
}, 60_000);
afterAll(async () => {
  await app?.close();
  await database?.drop();
});
afterEach(() => {
  jest.restoreAllMocks();
});
beforeEach(async () => {
  [ada, bob] = [await addPerson(database), await addPerson(database)];
});

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it freely

const post = (person: TestPerson, body: unknown) => postJson(url, body, { headers: person.headers });
const create = async (person: TestPerson, body: object = {}): Promise<Json> => {
  const response = await post(person, { name: 'Claude Desktop', ...body });
  expect(response.status).toBe(201);
  return response.json();
};
const listed = async ({ headers }: TestPerson): Promise<Json[]> => (await send(url, { headers })).json().keys;
const remove = ({ headers }: TestPerson, id: string) => send(`${url}/${id}`, { method: 'DELETE', headers });
const callers = () => app.get(CallerService);
const grantOf = (authorization: string) =>
  callers().resolve(
    { headers: { authorization }, socket: { remoteAddress: '192.0.2.7' } } as unknown as IncomingMessage,
    'rest',
  );
const invalid = expect.objectContaining({
  kind: 'unauthenticated',
  reason: 'invalid_api_key',
  message: 'Invalid API key',
});
const change = (id: string, assignment: string) =>
  database.query(`UPDATE mcp_key SET ${assignment} WHERE id = $1`, [id]);
const fits = (dto: DtoClass, value: unknown) =>
  new Ajv2020({ strict: false, validateFormats: false }).validate(schemaOf(dto), value);

describe('POST /api/mcp-keys', () => {
  it('makes a key only for somebody who signed in a moment ago', async () => {
    const { signedInAt: _now, ...caller } = {
      ...(await callers().currentGrant(`session:${ada.id}`))!,
      address: '192.0.2.1',
      checkedAt: 0,
    };
    const make = (more: { signedInAt?: number }) =>
      app.get(McpKeyService).create({ ...caller, ...more }, { name: 'a', read_only: false });
    for (const more of [{}, { signedInAt: Date.now() - 11 * 60_000 }])
      await expect(make(more)).rejects.toMatchObject({ kind: 'forbidden', reason: 'sign_in_again' });
    expect(await make({ signedInAt: Date.now() - 9 * 60_000 })).toMatchObject({ name: 'a' });
  });

  it('makes a key and shows it once', async () => {
    const made = await create(ada);
    expect(made).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'Claude Desktop',
      key: expect.stringMatching(/^of_mcp_/),
      prefix: made.key.slice(0, 12),
      toolsets: null,
      read_only: false,
      created_at: expect.any(String),
      expires_at: null,
      last_used_at: null,
      last_used_from: null,
    });
    expect(fits(CreatedMcpKey, made)).toBe(true);
    const elsewhere = JSON.stringify([
      await listed(ada),
      await database.query('SELECT * FROM mcp_key'),
      await database.query('SELECT * FROM idempotency_key'),
    ]);
    expect(elsewhere).not.toContain(made.key.slice(13));
  });

  it('keeps what the key may do and how long', async () => {
    const made = await create(ada, { expires_in_days: 3650, toolsets: ['vms', 'builds', 'vms'], read_only: true });
    expect(made).toMatchObject({ toolsets: ['vms', 'builds'], read_only: true });
    expect(new Date(made.expires_at).getTime() - new Date(made.created_at).getTime()).toBeCloseTo(
      3650 * 86_400_000,
      -5,
    );
  });

  it('takes null for what could be left out', async () => {
    expect(await create(ada, { expires_in_days: null, toolsets: null, read_only: null })).toMatchObject({
      expires_at: null,
      toolsets: null,
      read_only: false,
    });
  });

  it.each<[string, object, string]>([
    ['no name', { name: undefined }, '/name'],
    ['an empty name', { name: '' }, '/name'],
    ['a name of spaces', { name: '   ' }, '/name'],
    ['a name of two lines', { name: 'a\nb' }, '/name'],
    ['a name with a null character', { name: 'a\u0000' }, '/name'],
    ['a long name', { name: 'x'.repeat(101) }, '/name'],
    ['a name that is no text', { name: ['x'] }, '/name'],
    ['no days', { expires_in_days: 0 }, '/expires_in_days'],
    ['too many days', { expires_in_days: 3651 }, '/expires_in_days'],
    ['half a day', { expires_in_days: 0.5 }, '/expires_in_days'],
    ['no toolsets', { toolsets: [] }, '/toolsets'],
    ['a toolset that is no text', { toolsets: [1] }, '/toolsets'],
    ['an unknown toolset', { toolsets: ['vms', 'build'] }, '/toolsets/1'],
    ['a word for yes', { read_only: 'perhaps' }, '/read_only'],
    ['an idempotency key', { idempotency_key: 'x' }, '/idempotency_key'],
    ['the key of its choice', { key: 'of_mcp_x' }, '/key'],
  ])('refuses %s', async (_, body, path) => {
    const response = await post(ada, { name: 'x', ...body });
    expect(response.json()).toMatchObject({
      status: 400,
      reason: 'invalid_arguments',
      violations: expect.arrayContaining([expect.objectContaining({ path })]),
    });
  });

  it('names the toolset that was probably meant', async () => {
    expect((await post(ada, { name: 'x', toolsets: ['build'] })).json().violations).toEqual([
      {
        path: '/toolsets/0',
        code: 'unknown_toolset',
        message: '"build" is not one of builds, vms',
        suggestion: 'builds',
      },
    ]);
  });

  it('makes two keys for one Idempotency-Key, since neither is kept', async () => {
    const again = { headers: { ...ada.headers, 'idempotency-key': 'same' } };
    const [one, two] = [await postJson(url, { name: 'x' }, again), await postJson(url, { name: 'x' }, again)];
    expect(one.json().id).not.toBe(two.json().id);
  });

  it(`makes at most ${mostKeysPerAccount} that are valid at a time, however many are asked for at once`, async () => {
    const made = await Promise.all(Array.from({ length: mostKeysPerAccount + 10 }, () => post(ada, { name: 'x' })));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(mostKeysPerAccount);
    const refused = made.find(({ status }) => status !== 201)!;
    expect(refused.json()).toMatchObject({ status: 429, reason: 'key_quota', hint: expect.stringContaining('Revoke') });
    await create(bob);
    const [first, second] = made.filter(({ status }) => status === 201).map((response) => response.json().id as string);
    await remove(ada, first!);
    await change(second!, "expires_at = now() - interval '1 second'");
    await create(ada);
    await create(ada);
    expect((await post(ada, { name: 'x' })).status).toBe(429);
  });
});

describe('GET /api/mcp-keys', () => {
  it('lists one’s own keys, the newest first, expired ones too, revoked ones not', async () => {
    const [old, revoked, young] = [await create(ada), await create(ada), await create(ada)];
    await create(bob);
    await change(old.id, "created_at = now() - interval '1 day', expires_at = now() - interval '1 hour'");
    await remove(ada, revoked.id);
    const answer = (await send(url, { headers: ada.headers })).json();
    expect(answer.keys.map(({ id }: { id: string }) => id)).toEqual([young.id, old.id]);
    expect(answer.total).toBe(2);
    expect(fits(McpKeyList, answer)).toBe(true);
    expect(JSON.stringify(answer)).not.toMatch(/key_?hash|"key"/i);
  });
});

describe('DELETE /api/mcp-keys/{id}', () => {
  it('revokes, once', async () => {
    const { id, key } = await create(ada);
    const told: string[] = [];
    const stop = app.get(Revocations).onRevoked((subject) => told.push(subject));
    expect(await remove(ada, id)).toMatchObject({ status: 204, body: '' });
    await expect(grantOf(`Bearer ${key}`)).rejects.toEqual(invalid);
    expect(await database.query('SELECT subject FROM revocation WHERE subject = $1', [`key:${id}`])).toHaveLength(1);
    for (const deadline = Date.now() + 20_000; !told.includes(`key:${id}`) && Date.now() < deadline;)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(told).toContain(`key:${id}`);
    stop();
    expect(await remove(ada, id)).toMatchObject({ status: 404 });
  });

  it('says the same of another’s key, of none, of a revoked one, and of what is no id', async () => {
    const [theirs, revoked] = [await create(bob), await create(ada)];
    await remove(ada, revoked.id);
    const answers = await Promise.all(
      [theirs.id, revoked.id, randomUUID(), 'x', `${theirs.id}'--`].map(async (id) => (await remove(ada, id)).json()),
    );
    for (const { detail, request_id: _, ...answer } of answers) {
      expect(detail).toMatch(/^There is no key ".*"\.$/);
      expect(answer).toEqual({
        type: 'about:blank',
        title: 'Not found',
        status: 404,
        reason: 'key_not_found',
        hint: expect.any(String),
      });
    }
    expect((await listed(bob)).map(({ id }: { id: string }) => id)).toEqual([theirs.id]);
  });

  it('knows an id in capital letters, and what stands on the key still ends', async () => {
    const { id } = await create(ada);
    await remove(ada, id.toUpperCase());
    expect(await database.query('SELECT 1 FROM revocation WHERE subject = $1', [`key:${id}`])).toHaveLength(1);
  });

  it('revokes nothing where it cannot be told', async () => {
    const { id, key } = await create(ada);
    jest.spyOn(app.get(Revocations), 'revoke').mockRejectedValueOnce(new Error('no room'));
    expect((await remove(ada, id)).status).toBe(500);
    expect(await grantOf(`Bearer ${key}`)).toMatchObject({ principalId: `key:${id}` });
  });
});

describe('all three routes', () => {
  it.each(['GET', 'POST', 'DELETE'])('are for people: %s', async (method) => {
    const { id, key } = await create(ada);
    const ask = async (headers: Record<string, string>) => {
      const response = await send(method === 'DELETE' ? `${url}/${id}` : url, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        body: method === 'POST' ? '{"name":"x"}' : undefined,
      });
      return [response.status, response.json().reason];
    };
    expect(await ask({})).toEqual([401, 'credentials_required']);
    expect(await ask({ authorization: `Bearer ${key}` })).toEqual([403, 'sign_in_required']);
    expect(await ask({ authorization: 'Bearer of_mcp_nonsense' })).toEqual([401, 'invalid_api_key']);
    expect((await listed(ada)).length).toBe(1);
  });
});

describe('a key', () => {
  it('is its account, with what it may do', async () => {
    const { id, key, expires_at } = await create(ada, { toolsets: ['vms'], read_only: true, expires_in_days: 1 });
    const owner = `user:${ada.id}`;
    const grant = {
      kind: 'key',
      ownerId: owner,
      principalId: `key:${id}`,
      revocationSubjects: [`key:${id}`, owner],
      toolsets: ['vms'],
      readOnly: true,
      isAdmin: false,
      expiresAt: new Date(expires_at).getTime(),
    };
    expect(await grantOf(`Bearer ${key}`)).toEqual({ ...grant, address: '192.0.2.7', checkedAt: expect.any(Number) });
    expect(await callers().currentGrant(`key:${id}`)).toEqual(grant);
    const plain = await create(ada);
    expect(await grantOf(`Bearer ${plain.key}`)).toMatchObject({
      toolsets: undefined,
      readOnly: false,
      expiresAt: undefined,
    });
  });

  it('of an administrator is no administrator', async () => {
    await database.query("UPDATE account SET role = 'admin' WHERE id = $1", [ada.id]);
    expect(await grantOf(`Bearer ${(await create(ada)).key}`)).toMatchObject({ isAdmin: false });
  });

  it.each(['bearer', 'BEARER', 'Bearer  '])('is known by the scheme %p', async (scheme) => {
    const { id, key } = await create(ada);
    expect(await grantOf(`${scheme} ${key}`)).toMatchObject({ principalId: `key:${id}` });
  });

  it('asks the database once while nothing is revoked', async () => {
    const { key } = await create(ada);
    await grantOf(`Bearer ${key}`);
    const asked = await queriesDuring(() => grantOf(`Bearer ${key}`));
    expect(asked).toBe(0);
  });

  it('that is malformed costs no query', async () => {
    const { key } = await create(ada);
    const bad = [
      'of_mcp_',
      'of_mcp_nonsense',
      `${key}x`,
      key.slice(0, -1),
      `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`,
      `of_mcp_${'0'.repeat(8_000)}`,
    ];
    const asked = await queriesDuring(async () => {
      for (const text of bad) await expect(grantOf(`Bearer ${text}`)).rejects.toEqual(invalid);
    });
    expect(asked).toBe(0);
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['expired', (id) => change(id, "expires_at = now() - interval '1 second'")],
    ['revoked', (id) => change(id, 'revoked_at = now()')],
    ['of a disabled account', () => database.query('UPDATE account SET disabled_at = now() WHERE id = $1', [ada.id])],
    ['of a deleted account', () => database.query('DELETE FROM account WHERE id = $1', [ada.id])],
  ])('that is %s is as invalid as one that never was', async (_, end) => {
    const { id, key } = await create(ada);
    await end(id);
    await expect(grantOf(`Bearer ${key}`)).rejects.toEqual(invalid);
    expect(await callers().currentGrant(`key:${id}`)).toBeUndefined();
    await expect(grantOf(`Bearer ${makeApiKey()}`)).rejects.toEqual(invalid);
  });

  it('gives the same answer over HTTP, whatever is wrong with it', async () => {
    const { id, key } = await create(ada);
    await remove(ada, id);
    for (const text of [key, makeApiKey(), 'of_mcp_nonsense', 'of_mcp_']) {
      const response = await send(url, { headers: { authorization: `Bearer ${text}` } });
      expect(response.headers['www-authenticate']).toBe(
        'Bearer error="invalid_token", error_description="Invalid API key"',
      );
      const { request_id: _, ...answer } = response.json();
      expect(answer).toEqual({
        type: 'about:blank',
        title: 'Not authenticated',
        status: 401,
        detail: 'Invalid API key',
        reason: 'invalid_api_key',
        hint: expect.any(String),
      });
    }
  });

  it('that was remembered ends by its time', async () => {
    const { id, key } = await create(ada);
    await change(id, "expires_at = now() + interval '1 second'");
    await grantOf(`Bearer ${key}`);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await expect(grantOf(`Bearer ${key}`)).rejects.toEqual(invalid);
  });

  it('ends with its account, though it was remembered', async () => {
    const { key } = await create(ada);
    await grantOf(`Bearer ${key}`);
    await app.get(DataSource).transaction(async (manager) => {
      await manager.query('UPDATE account SET disabled_at = now() WHERE id = $1', [ada.id]);
      await app.get(Revocations).revoke(manager, [`user:${ada.id}`]);
    });
    const refused = async () =>
      await grantOf(`Bearer ${key}`).then(
        () => false,
        () => true,
      );
    for (const deadline = Date.now() + 20_000; !(await refused()) && Date.now() < deadline;)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await expect(grantOf(`Bearer ${key}`)).rejects.toEqual(invalid);
  });

  async function queriesDuring(work: () => Promise<unknown>): Promise<number> {
    // The notes of uses are written by the clock, whatever is being counted.
    jest.spyOn(app.get(KeyUsage), 'write').mockResolvedValue();
    const runners = jest.spyOn(app.get(DataSource), 'createQueryRunner');
    await work();
    return runners.mock.calls.length;
  }
});

describe('the last use of a key', () => {
  const lastUse = async (id: string) => (await listed(ada)).find((key) => key.id === id);

  it('is shown with the address', async () => {
    const { id, key } = await create(ada);
    await grantOf(`Bearer ${key}`);
    await app.get(KeyUsage).write();
    expect(await lastUse(id)).toMatchObject({ last_used_at: expect.any(String), last_used_from: '192.0.2.7' });
  });

  it('is not that of a refused attempt', async () => {
    const { id, key } = await create(ada);
    await grantOf(`Bearer ${key}x`).catch(() => undefined);
    await app.get(KeyUsage).write();
    expect(await lastUse(id)).toMatchObject({ last_used_at: null, last_used_from: null });
  });

  it('is never older than what another process wrote', async () => {
    const { id } = await create(ada);
    const keys = app.get(McpKeyRepository);
    const at = Date.now();
    await keys.noteUses([{ id, at, from: '192.0.2.1' }]);
    await keys.noteUses([{ id, at: at - 1_000, from: '192.0.2.2' }]);
    expect(await lastUse(id)).toMatchObject({ last_used_at: new Date(at).toISOString(), last_used_from: '192.0.2.1' });
  });

  it('of several keys locks them in the order of their ids, so that two processes never wait for each other', async () => {
    const [low, high] = ['00000000-0000-4000-8000-000000000000', 'ffffffff-ffff-4fff-8fff-ffffffffffff'];
    // The high one lies first in the table, and is named first.
    for (const id of [high, low])
      await database.query(
        "INSERT INTO mcp_key (id, account_id, name, prefix, key_hash, read_only) VALUES ($1, $2, 'x', 'x', gen_random_uuid()::text, false)",
        [id, ada.id],
      );
    let noted: Promise<void> | undefined;
    await app.get(DataSource).transaction(async (manager) => {
      await manager.query('SELECT FROM mcp_key WHERE id = $1 FOR UPDATE', [low]);
      noted = app.get(McpKeyRepository).noteUses([high, low].map((id) => ({ id, at: Date.now(), from: '192.0.2.1' })));
      const waits = async () =>
        (
          await database.query(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'WITH used%'",
          )
        ).length > 0;
      for (const deadline = Date.now() + 20_000; !(await waits()) && Date.now() < deadline;)
        await new Promise((resolve) => setTimeout(resolve, 10));
      expect(await manager.query('SELECT id FROM mcp_key WHERE id = $1 FOR UPDATE SKIP LOCKED', [high])).toHaveLength(
        1,
      );
    });
    await noted;
    expect((await listed(ada)).map((key) => key.last_used_from)).toEqual(['192.0.2.1', '192.0.2.1']);
  });
});

describe('housekeeping', () => {
  it('forgets what was revoked or expired 90 days ago', async () => {
    const [revoked, expired, both, recent, live] = await Promise.all(Array.from({ length: 5 }, () => create(ada)));
    const days = (count: number) => `now() - interval '${count} days'`;
    await change(revoked.id, `revoked_at = ${days(91)}`);
    await change(expired.id, `expires_at = ${days(91)}`);
    await change(both.id, `expires_at = ${days(91)}, revoked_at = ${days(1)}`);
    await change(recent.id, `expires_at = ${days(89)}, revoked_at = ${days(89)}`);
    await app.get(McpKeysJobs).forgetEnded();
    const left = await database.query('SELECT id FROM mcp_key WHERE account_id = $1', [ada.id]);
    expect(left.map(({ id }) => id).sort()).toEqual([recent.id, live.id].sort());
  });
});
