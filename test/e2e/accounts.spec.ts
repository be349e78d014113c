import http from 'node:http';
import { once } from 'node:events';
import os from 'node:os';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Module, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Command } from 'commander';
import type { Response } from 'express';
import jwt from 'jsonwebtoken';
import { registerAdminCommand } from '../../apps/cli/src/admin.command.js';
import { administer } from '../../apps/cli/src/admin/administer.js';
import { EmbeddedPostgres, FactorySecret, loadSettings, unprivilegedAccount } from '#libs/platform';
import { startTestApp, type TestApp } from '../support/app.js';
import { makeDataDir } from '../support/factory-process.js';
import { MailServer } from '../support/mail-server.js';
import { postJson, send, type RawResponse } from '../support/raw-client.js';
import { until } from '../support/until.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it freely

/** An answer that flows until somebody ends it. */
@ApiExcludeController()
@Controller('api/test-stream')
class StreamController {
  @Get()
  stream(@Res() response: Response): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(':here\n\n');
  }
}
@Module({ controllers: [StreamController] })
class StreamModule {}

const secret = 'accounts'.repeat(8);
const password = 'tinkering sparrow';
let app: TestApp;
let mail: MailServer;
let from = 10;
/** Somebody elsewhere: what one address did wrong is no other's. */
const elsewhere = () => `127.0.0.${++from}`;

beforeAll(async () => {
  mail = await MailServer.start();
  app = await startTestApp({
    environment: { OPENFACTORY_SMTP_URL: mail.url, OPENFACTORY_SECRET: secret },
    extraModules: [StreamModule],
  });
}, 60_000);
afterAll(async () => {
  await app?.stop();
  await mail?.stop();
});

interface Asked {
  token?: string;
  cookie?: string;
  headers?: Record<string, string>;
  from?: string;
}
const headersOf = ({ token, cookie, headers }: Asked) => ({
  ...(token && { authorization: `Bearer ${token}` }),
  ...(cookie && { cookie, 'x-requested-with': 'openfactory' }),
  ...headers,
});
const post = (path: string, body: unknown = {}, asked: Asked = {}) =>
  postJson(`${app.url}/api/${path}`, body, { headers: headersOf(asked), from: asked.from });
const get = (path: string, asked: Asked = {}) =>
  send(`${app.url}/api/${path}`, { headers: headersOf(asked), from: asked.from });
const other = (method: string, path: string, asked: Asked & { body?: object } = {}) =>
  send(`${app.url}/api/${path}`, {
    method,
    headers: { ...headersOf(asked), ...(asked.body && { 'content-type': 'application/json' }) },
    ...(asked.body && { body: JSON.stringify(asked.body) }),
  });
const tokenIn = (text: string) => /#token=([\w-]+)/.exec(text)![1]!;
const cookieOf = (response: RawResponse) => response.headers['set-cookie']![0]!.split(';')[0]!;
const tokenOf = async (email: string, secretWord = password): Promise<string> =>
  (await post('auth/token', { email, password: secretWord }, { from: elsewhere() })).json().token;
const signIn = async (email: string, secretWord = password) => {
  const response = await post('auth/sign-in', { email, password: secretWord }, { from: elsewhere() });
  return { response, cookie: cookieOf(response), token: response.json().token as string };
};
const refusal = (response: RawResponse) => ({ status: response.status, reason: response.json().reason });
/** A revocation is heard within a second, not in the answer to what revoked; it may also cut an answer off. */
const refused = async (token: string, reason = 'invalid_token') => {
  const answer = await until(
    () => get('auth/me', { token }).catch(() => undefined),
    (found) => found !== undefined && found.status !== 200,
  );
  expect(refusal(answer!)).toEqual({ status: 401, reason });
};
/** The body without what differs in every answer. */
const wordsOf = (response: RawResponse): Json => ({ ...response.json(), request_id: undefined });

const admin = 'ada@example.com';
const member = 'bob@example.com';

describe('the story of accounts', () => {
  let adminToken: string;

  it('begins with a set-up link, which makes the administrator once', async () => {
    const token = tokenIn(app.setUpUrl!);
    expect(app.setUpUrl).toBe(`${app.url}/account#token=${token}`);
    expect((await post('auth/link', { token })).json()).toMatchObject({ kind: 'setup', email: null });
    expect(refusal(await post('auth/setup', { token, email: admin, password: 'short' }))).toEqual({
      status: 400,
      reason: 'weak_password',
    });
    expect((await post('auth/setup', { token, email: ' Ada@Example.com', password })).status).toBe(204);
    expect(refusal(await post('auth/setup', { token, email: 'eve@example.com', password }))).toEqual({
      status: 409,
      reason: 'already_set_up',
    });
    adminToken = await tokenOf(admin);
    expect((await get('auth/me', { token: adminToken })).json()).toMatchObject({
      email: admin,
      role: 'admin',
      disabled: false,
    });
  });

  it('goes on with an invitation', async () => {
    expect(refusal(await post('auth/sign-up', { email: member, password }))).toEqual({
      status: 403,
      reason: 'invitation_required',
    });
    expect(refusal(await post('admin/invitations', {}))).toEqual({ status: 401, reason: 'credentials_required' });
    const invited = await post('admin/invitations', { email: member }, { token: adminToken });
    expect(invited.status).toBe(201);
    const { id, url } = invited.json();
    expect(invited.json()).toMatchObject({ mailed: true });
    expect(tokenIn(await mail.mailTo(member))).toBe(tokenIn(url));
    expect((await post('admin/invitations', {}, { token: adminToken })).json()).toMatchObject({ mailed: false });
    expect((await get('admin/invitations', { token: adminToken })).json()).toMatchObject({
      total: 2,
      invitations: [{ email: null }, { id, email: member, role: 'user' }],
    });
    expect((await get('admin/invitations', { token: adminToken })).body).not.toContain(tokenIn(url));
    expect((await post('auth/sign-up', { email: member, password, invitation: tokenIn(url) })).status).toBe(202);
    const answer = (await post('auth/token', { email: member, password })).json();
    expect(answer).toEqual({ token: expect.any(String), expires_in: 900, token_type: 'Bearer' });
    expect((await get('auth/me', { token: answer.token })).json()).toMatchObject({ email: member, role: 'user' });
    expect(refusal(await get('admin/users', { token: answer.token }))).toEqual({ status: 403, reason: 'admins_only' });
    expect((await get('recipes', { token: answer.token })).status).toBe(200);
  });

  it('keeps a browser signed in by a cookie that no script reads, and ends the session of a stolen one', async () => {
    const { response, cookie, token } = await signIn(member);
    expect(response.json()).toMatchObject({ expires_in: 900, user: { email: member, role: 'user' } });
    expect(response.headers['set-cookie']![0]).toMatch(
      /^openfactory_refresh=[\w-]+; Max-Age=2592000; Path=\/api\/auth; HttpOnly; SameSite=Strict$/,
    );
    expect(response.body).not.toContain(cookie.split('=')[1]);
    expect(refusal(await post('auth/refresh', {}, { headers: { cookie } }))).toEqual({
      status: 403,
      reason: 'csrf_header_required',
    });
    const once = await post('auth/refresh', {}, { cookie });
    expect(once.json()).toMatchObject({ token: expect.any(String), token_type: 'Bearer' });
    expect(cookieOf(once)).not.toBe(cookie);
    expect(cookieOf(await post('auth/refresh', {}, { cookie }))).toBe(cookieOf(once));
    const twice = await post('auth/refresh', {}, { cookie: cookieOf(once) });
    expect((await get('auth/me', { token })).status).toBe(200);
    expect(refusal(await post('auth/refresh', {}, { cookie }))).toEqual({
      status: 401,
      reason: 'refresh_token_reused',
    });
    expect(refusal(await post('auth/refresh', {}, { cookie: cookieOf(twice) }))).toEqual({
      status: 401,
      reason: 'invalid_refresh_token',
    });
    await refused(token);
  });

  it('lets somebody sign out here, there and everywhere', async () => {
    const [here, there, script] = [await signIn(member), await signIn(member), await tokenOf(member)];
    const { sessions } = (await get('auth/sessions', { token: here.token })).json();
    expect(sessions.filter(({ current }: Json) => current)).toHaveLength(1);
    expect(sessions.length).toBeGreaterThanOrEqual(3);
    expect(refusal(await post('auth/sign-out', {}, { headers: { cookie: there.cookie } }))).toEqual({
      status: 403,
      reason: 'csrf_header_required',
    });
    const out = await post('auth/sign-out', {}, { cookie: there.cookie });
    expect([out.status, out.headers['set-cookie']![0]]).toEqual([
      204,
      expect.stringMatching(/^openfactory_refresh=; Max-Age=0; Path=\/api\/auth;/),
    ]);
    await refused(there.token);
    expect((await post('auth/sign-out', {}, { token: script })).status).toBe(204);
    await refused(script);
    expect(refusal(await post('auth/sign-out'))).toEqual({ status: 401, reason: 'credentials_required' });
    const third = await signIn(member);
    expect(
      (
        await other('DELETE', `auth/sessions/${sessions.find(({ current }: Json) => current).id}`, {
          token: third.token,
        })
      ).status,
    ).toBe(204);
    await refused(here.token);
    expect((await post('auth/sign-out-everywhere', {}, { token: third.token })).status).toBe(204);
    expect((await post('auth/refresh', {}, { cookie: third.cookie })).status).toBe(401);
  });

  it('changes a password, which ends every other session', async () => {
    const [here, there] = [await signIn(member), await signIn(member)];
    const change = (current_password: string, new_password: string) =>
      post('auth/password', { current_password, new_password }, { token: here.token });
    expect(refusal(await change('not my password', 'second sparrow'))).toEqual({
      status: 403,
      reason: 'wrong_password',
    });
    const key = (await post('mcp-keys', { name: 'left behind' }, { token: here.token })).json();
    const changed = await change(password, 'another sparrow');
    expect([changed.status, changed.json()]).toEqual([
      200,
      { keys: [{ id: key.id, name: 'left behind', prefix: key.prefix, last_used_at: null }] },
    ]);
    expect((await get('recipes', { token: key.key })).status).toBe(200);
    expect(
      (
        await post(
          'auth/password',
          { current_password: 'another sparrow', new_password: 'second sparrow', revoke_keys: true },
          { token: here.token },
        )
      ).json(),
    ).toEqual({ keys: [] });
    expect((await get('recipes', { token: key.key })).status).toBe(401);
    expect((await get('auth/me', { token: here.token })).status).toBe(200);
    await refused(there.token);
    expect((await post('auth/refresh', {}, { cookie: there.cookie })).status).toBe(401);
  });

  it('sets a forgotten password by a mailed link, in the same words whether there is an account or not', async () => {
    const { token: before } = await signIn(member, 'second sparrow');
    const known = await post('auth/reset-request', { email: member });
    const unknown = await post('auth/reset-request', { email: 'nobody@example.com' });
    expect([known.status, wordsOf(known)]).toEqual([unknown.status, wordsOf(unknown)]);
    const link = tokenIn(await mail.mailTo(member, 2));
    expect((await post('auth/reset', { token: link, new_password: password })).status).toBe(204);
    expect(refusal(await post('auth/reset', { token: link, new_password: 'third sparrow!' }))).toEqual({
      status: 400,
      reason: 'invalid_link',
    });
    await refused(before);
    expect(await tokenOf(member)).toEqual(expect.any(String));
    expect(mail.received.flatMap(({ to }) => to)).toEqual([member, member]);
  });

  it('disables an account: what flows to it is cut off, and nothing lets it in again until it is enabled', async () => {
    const { token, cookie } = await signIn(member);
    const request = http.get(`${app.url}/api/test-stream`, {
      headers: { authorization: `Bearer ${token}` },
      agent: false,
    });
    const [stream] = (await once(request, 'response')) as [http.IncomingMessage];
    stream.on('error', () => undefined).resume();
    const cut = new Promise((resolve) => stream.once('close', resolve));
    const { users } = (await get('admin/users', { token: adminToken })).json();
    const idOf = (email: string) => users.find((user: Json) => user.email === email).id;
    expect(
      (await other('PATCH', `admin/users/${idOf(member)}`, { token: adminToken, body: { disabled: true } })).json(),
    ).toMatchObject({ email: member, disabled: true });
    await cut;
    expect(stream.complete).toBe(false);
    await refused(token);
    expect((await post('auth/refresh', {}, { cookie })).status).toBe(401);
    expect(refusal(await post('auth/token', { email: member, password }, { from: elsewhere() }))).toEqual({
      status: 401,
      reason: 'invalid_credentials',
    });
    expect(
      (await other('PATCH', `admin/users/${idOf(member)}`, { token: adminToken, body: { disabled: false } })).status,
    ).toBe(200);
    expect(await tokenOf(member)).toEqual(expect.any(String));
    for (const body of [{ disabled: true }, { role: 'user' }])
      expect(refusal(await other('PATCH', `admin/users/${idOf(admin)}`, { token: adminToken, body }))).toEqual({
        status: 409,
        reason: 'last_administrator',
      });
  });

  it('is told on the command line too, beside the running factory', async () => {
    const told = async (...words: string[]) =>
      await commandLine({ DATABASE_URL: app.settings.databaseUrl, OPENFACTORY_SECRET: secret }, 'admin', ...words);
    const printed = await told('create-user', 'cleo@example.com', '--admin');
    expect(await post('auth/reset', { token: tokenIn(printed), new_password: password })).toMatchObject({
      status: 204,
    });
    const token = await tokenOf('cleo@example.com');
    expect(await told('list')).toMatch(/^cleo@example\.com {2}admin {2}enabled {2}signed in /m);
    expect(await told('disable', 'Cleo@example.com')).toContain('disabled');
    await refused(token);
    expect(
      refusal(await post('auth/token', { email: 'cleo@example.com', password }, { from: elsewhere() })).status,
    ).toBe(401);
    await expect(told('reset', 'cleo@example.com')).rejects.toMatchObject({ reason: 'user_disabled' });
    await expect(told('enable', 'nobody@example.com')).rejects.toMatchObject({ reason: 'user_not_found' });
    const { id } = (await get('admin/users', { token: adminToken }))
      .json()
      .users.find(({ email }: Json) => email === 'cleo@example.com');
    const { entries } = (await get('admin/audit?limit=1000', { token: adminToken })).json();
    expect(
      entries
        .filter(({ edge }: Json) => edge === 'cli')
        .map(({ action, object, result }: Json) => [action, object, result]),
    ).toEqual([
      ['admin_enable_user', null, 'user_not_found'],
      ['admin_reset_password', id, 'user_disabled'],
      ['admin_disable_user', id, 'ok'],
      ['admin_create_user', id, 'ok'],
    ]);
    expect(entries.find(({ edge }: Json) => edge === 'cli')).toMatchObject({
      caller_kind: 'host',
      principal_id: `host:${os.userInfo().username}`,
      owner_id: null,
    });
  });
});

/** What a command prints, with these settings alone. */
async function commandLine(settings: Record<string, string | undefined>, ...words: string[]): Promise<string> {
  const isSetting = (name: string) => name === 'DATABASE_URL' || name.startsWith('OPENFACTORY_');
  const before = Object.entries(process.env).filter(([name]) => isSetting(name));
  const forget = () => Object.keys(process.env).forEach((name) => isSetting(name) && delete process.env[name]);
  const log = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    forget();
    Object.assign(process.env, settings);
    const program = new Command();
    registerAdminCommand(program);
    await program.parseAsync(words, { from: 'user' });
    return log.mock.calls.flat().join('\n');
  } finally {
    forget();
    Object.assign(process.env, Object.fromEntries(before));
    log.mockRestore();
  }
}

describe('a factory that is stopped', () => {
  it('is administered on its embedded database, which stops again', async () => {
    const { dir, remove } = await makeDataDir();
    const { settings } = loadSettings({ OPENFACTORY_DATA_DIR: dir });
    const postgres = new EmbeddedPostgres({ dataDir: dir, account: await unprivilegedAccount() });
    try {
      await expect(administer((administration) => administration.list(), settings)).rejects.toMatchObject({
        reason: 'no_factory',
      });
      await postgres.start();
      await postgres.stop();
      const { url } = await administer((administration) => administration.create('ada@example.com', 'admin'), settings);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:3000\/account#token=[\w-]{64}$/);
      expect(await postgres.isRunning()).toBe(false);
      await expect(
        administer((administration) => administration.create('ada@example.com', 'user'), settings),
      ).rejects.toMatchObject({ reason: 'user_exists' });
      expect(await administer((administration) => administration.list(), settings)).toMatchObject([
        { email: 'ada@example.com', role: 'admin' },
      ]);
    } finally {
      await postgres.stop();
      await remove();
    }
  });
});

describe('whoever guesses', () => {
  it('learns nothing from the answer, and is slowed', async () => {
    const guess = (email: string, address: string) =>
      post('auth/sign-in', { email, password: 'wrong guess here' }, { from: address });
    const bodies: Json[] = [];
    for (const email of [member, 'nobody-here@example.com']) {
      const address = elsewhere();
      for (let tries = 0; tries < 5; tries++)
        bodies.push([(await guess(email, address)).status, wordsOf(await guess(email, elsewhere()))]);
      const slowed = await guess(email, address);
      expect(refusal(slowed)).toEqual({ status: 429, reason: 'too_many_attempts' });
      expect(Number(slowed.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(bodies[0][1]).toMatchObject({ status: 401, reason: 'invalid_credentials' });
  });

  it('finds the way from a page of another site closed', async () => {
    const origin = 'https://evil.example';
    for (const path of ['auth/sign-in', 'auth/refresh', 'auth/sign-out', 'auth/token'])
      expect(refusal(await post(path, {}, { headers: { origin } }))).toEqual({
        status: 403,
        reason: 'origin_not_allowed',
      });
    const form = await send(`${app.url}/api/auth/sign-in`, {
      method: 'POST',
      body: 'email=a',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(form.status).toBe(415);
    expect(
      (
        await other('OPTIONS', 'auth/refresh', {
          headers: { origin: app.url, 'access-control-request-method': 'POST' },
        })
      ).headers['access-control-allow-headers'],
    ).toContain('X-Requested-With');
  });
});

describe('forged tokens', () => {
  it('are refused with what to do', async () => {
    const { token, cookie } = await signIn(admin);
    const { sub, sid } = jwt.decode(token) as jwt.JwtPayload;
    const key = new FactorySecret(secret).derive('access-token');
    const good = {
      algorithm: 'HS256',
      issuer: 'openfactory',
      audience: 'openfactory-api',
      subject: sub!,
      expiresIn: 60,
    } as const;
    const signed = (options: jwt.SignOptions, by: jwt.Secret = key) => jwt.sign({ sid }, by, { ...good, ...options });
    expect((await get('auth/me', { token: signed({}) })).status).toBe(200);
    const unsigned = jwt.sign({ sid, iss: 'openfactory', aud: 'openfactory-api', sub }, '', {
      algorithm: 'none',
      expiresIn: 60,
    });
    const forged = [
      unsigned,
      signed({}, 'k'.repeat(32)),
      signed({ audience: 'other' }),
      signed({ issuer: 'other' }),
      signed({ expiresIn: -1 }),
      signed({ algorithm: 'HS512' }),
      signed({ subject: '00000000-0000-4000-8000-000000000000' }),
    ];
    for (const bad of forged) {
      const answer = await get('auth/me', { token: bad });
      expect(refusal(answer)).toEqual({ status: 401, reason: 'invalid_token' });
      expect(answer.json().hint).toContain('sign in again');
      expect(answer.headers['www-authenticate']).toContain('Bearer error="invalid_token"');
    }
    const refreshToken = cookie.split('=')[1]!;
    await refused(refreshToken, 'invalid_api_key');
    expect(refusal(await post('auth/refresh', {}, { cookie: `openfactory_refresh=${token}` }))).toEqual({
      status: 401,
      reason: 'invalid_refresh_token',
    });
    expect((await get('recipes', { token: unsigned })).status).toBe(401);
  });
});

describe('the description of the routes', () => {
  it('names the schema of every input and answer', async () => {
    const document = (await get('docs.json')).json();
    const operations = Object.entries<Json>(document.paths)
      .filter(([path]) => /^\/api\/(auth|admin\/(?!audit))/.test(path))
      .flatMap(([, methods]) => Object.values<Json>(methods));
    expect(operations).toHaveLength(21);
    const named = [...JSON.stringify(operations).matchAll(/schemas\/(\w+)/g)].map(([, name]) => name!);
    expect(named.filter((name) => document.components.schemas[name] === undefined)).toEqual([]);
    expect(document.components.schemas.SignInInput).toMatchObject({
      required: ['email', 'password'],
      properties: { email: { type: 'string', format: 'email', maxLength: 254 } },
    });
  });
});

describe('other ways to begin', () => {
  const startWith = (environment: Record<string, string>) => startTestApp({ environment });

  it('an administrator of the settings is made once, and never changed by them', async () => {
    const first = await startWith({
      OPENFACTORY_ADMIN_EMAIL: 'Root@Example.com',
      OPENFACTORY_ADMIN_PASSWORD: password,
    });
    try {
      expect(first.setUpUrl).toBeUndefined();
      expect((await postJson(`${first.url}/api/auth/token`, { email: 'root@example.com', password })).status).toBe(200);
      const again = await startTestApp({
        database: first.database,
        environment: { OPENFACTORY_ADMIN_EMAIL: 'root@example.com', OPENFACTORY_ADMIN_PASSWORD: 'another sparrow' },
      });
      try {
        expect((await postJson(`${again.url}/api/auth/token`, { email: 'root@example.com', password })).status).toBe(
          200,
        );
      } finally {
        await again.stop();
      }
    } finally {
      await first.stop();
    }
  });

  it('open sign-up by mail makes the account when its address is proven', async () => {
    const open = await startWith({
      OPENFACTORY_SIGN_UP: 'open',
      OPENFACTORY_SMTP_URL: mail.url,
      OPENFACTORY_ADMIN_EMAIL: 'root@example.com',
      OPENFACTORY_ADMIN_PASSWORD: password,
    });
    try {
      const at = (path: string, body: object) => postJson(`${open.url}/api/auth/${path}`, body);
      const fresh = await at('sign-up', { email: 'dora@example.com', password });
      const taken = await at('sign-up', { email: 'root@example.com', password: 'another sparrow' });
      expect([fresh.status, wordsOf(fresh)]).toEqual([202, wordsOf(taken)]);
      expect((await at('token', { email: 'dora@example.com', password })).status).toBe(401);
      expect(await mail.mailTo('root@example.com')).toContain('have an OpenFactory account already');
      const token = tokenIn(await mail.mailTo('dora@example.com'));
      expect(refusal(await at('confirm', { token, password: 'short' }))).toMatchObject({ status: 400 });
      expect((await at('confirm', { token, password: 'whoever reads the mail' })).status).toBe(200);
      expect(refusal(await at('confirm', { token, password: 'whoever reads the mail' }))).toMatchObject({
        reason: 'invalid_link',
      });
      expect((await at('token', { email: 'dora@example.com', password })).status).toBe(401);
      expect((await at('token', { email: 'dora@example.com', password: 'whoever reads the mail' })).status).toBe(200);
      expect((await at('token', { email: 'root@example.com', password })).status).toBe(200);
    } finally {
      await open.stop();
    }
  });

  it('closed: administrators alone make accounts', async () => {
    const closed = await startWith({
      OPENFACTORY_SIGN_UP: 'closed',
      OPENFACTORY_PUBLIC_URL: 'https://factory.example/base',
      OPENFACTORY_ALLOWED_HOSTS: '127.0.0.1',
      OPENFACTORY_ADMIN_EMAIL: 'root@example.com',
      OPENFACTORY_ADMIN_PASSWORD: password,
    });
    try {
      const url = `http://127.0.0.1:${(closed.app.getHttpServer().address() as { port: number }).port}/api`;
      expect(refusal(await postJson(`${url}/auth/sign-up`, { email: 'eve@example.com', password }))).toEqual({
        status: 403,
        reason: 'sign_up_closed',
      });
      const signedIn = await postJson(`${url}/auth/sign-in`, { email: 'root@example.com', password });
      expect(signedIn.headers['set-cookie']![0]).toMatch(/Path=\/base\/api\/auth; HttpOnly; Secure; SameSite=Strict$/);
      expect(
        refusal(
          await postJson(
            `${url}/admin/invitations`,
            {},
            { headers: { authorization: `Bearer ${signedIn.json().token}` } },
          ),
        ),
      ).toEqual({ status: 403, reason: 'sign_up_closed' });
      expect((await postJson(`${url}/auth/reset-request`, { email: 'root@example.com' })).json()).toMatchObject({
        hint: expect.stringContaining('Ask your administrator'),
      });
    } finally {
      await closed.stop();
    }
  });
});
