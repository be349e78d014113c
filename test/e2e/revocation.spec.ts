import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { DataSource } from 'typeorm';
import type { WebSocket } from 'ws';
import { EventBus, Revocations } from '#libs/platform';
import { startTestApp, type TestApp } from '../support/app.js';
import { consoleEnding, openConsole, received, tokenOfUrl } from '../support/console-client.js';
import { consoleFixture, FixtureVms } from '../support/console-fixture.module.js';
import { cloneDatabase, type TestDatabase } from '../support/database.js';
import { ProbeTools, ProbeToolsModule } from '../support/probe-tools.module.js';
import { postJson, RawSseClient, RawStream, send, type RawResponse } from '../support/raw-client.js';
import { addPerson, createKey, SessionFixtureModule, type TestPerson } from '../support/session-fixture.module.js';

/** One database and one secret, and applications that share nothing else, as processes do: what is taken away in the first must end in the others. */
let database: TestDatabase;
let first: TestApp;
/** Hears of revocations by NOTIFY alone. */
let second: TestApp;
/** Hears of them by its poll alone. */
let deaf: TestApp;
const opened: Opened[] = [];

const until = async (condition: () => boolean | Promise<boolean>, withinMs = 20_000) => {
  for (const deadline = Date.now() + withinMs; !(await condition()); await sleep(20))
    if (Date.now() > deadline) throw new Error('It did not come.');
};

const listeners = async () =>
  (
    await database.query(
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'openfactory-events'",
    )
  ).map(({ pid }) => Number(pid));

/**
 * Takes the LISTEN connection of an application away for good: PostgreSQL ends the real one, and the bus does not open another, as where
 * nothing of it gets through any more. Everything else of the application has its connections. `stopping` is what the bus itself sets
 * when it is to let its connection go.
 */
async function cutEvents(app: TestApp, pid: number): Promise<void> {
  const bus = app.app.get(EventBus);
  (bus as unknown as { stopping: boolean }).stopping = true;
  await database.query('SELECT pg_terminate_backend($1)', [pid]);
  await until(() => !bus.connected);
}

beforeAll(async () => {
  database = await cloneDatabase();
  const environment = {
    OPENFACTORY_SECRET: randomBytes(32).toString('hex'),
    // Nothing is fetched in these tests; packages are not checked while the index is not loaded.
    OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
  };
  const start = async () => {
    const app = await startTestApp({
      database,
      environment,
      extraModules: [ProbeToolsModule, SessionFixtureModule],
      consoleModule: consoleFixture(),
    });
    app.app.get(FixtureVms).add('screen');
    return app;
  };
  first = await start();
  second = await start();
  // Of all that it does when it stops, only this: it lets go of the connection of its poll. What it is told by NOTIFY it still hears.
  await second.app.get(Revocations).onApplicationShutdown();
  const before = await listeners();
  deaf = await start();
  const [own] = (await listeners()).filter((pid) => !before.includes(pid));
  await cutEvents(deaf, own!);
}, 60_000);
afterEach(() => opened.splice(0).forEach((each) => each.close()));
afterAll(async () => {
  for (const app of [deaf, second, first]) await app?.stop();
  await database?.drop();
});

const waiting = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'probe_wait', arguments: { ms: 60_000 } },
});
const both = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Every kind of connection, opened with the same credentials, each with something going on. */
class Opened {
  sse: RawSseClient;
  /** Of a Streamable HTTP session: what it listens to, and a call that runs. */
  listening: RawStream;
  call: RawStream;
  sessionId: string;
  events: RawStream;
  console: WebSocket;
  consoleToken: string;
  ending: { code: number; reason: string } | undefined;

  private constructor(
    readonly app: TestApp,
    readonly headers: { authorization: string },
  ) {}

  static async open(app: TestApp, headers: { authorization: string }): Promise<Opened> {
    const made = new Opened(app, headers);
    opened.push(made);
    made.sse = await RawSseClient.open(app.url, { headers });
    await made.sse.post(waiting(1), { headers });
    await made.openStreamable(`${app.url}/api/mcp`);
    await made.follow(`${app.url}/api/builds`);
    await made.openConsole(`${app.url}/api/vms/screen/console-url`);
    return made;
  }

  private async openStreamable(url: string): Promise<void> {
    const { headers } = this;
    const answer = await postJson(
      url,
      { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18' } },
      { headers: { ...both, ...headers } },
    );
    this.sessionId = String(answer.headers['mcp-session-id']);
    const session = { ...headers, 'mcp-session-id': this.sessionId };
    this.listening = await RawStream.open(url, { headers: { ...session, accept: 'text/event-stream' } });
    this.call = await RawStream.open(url, {
      method: 'POST',
      headers: { ...session, ...both },
      body: JSON.stringify(waiting(2)),
    });
  }

  /** The events of a build that waits for a worker, which there is none of. */
  private async follow(url: string): Promise<void> {
    const { headers } = this;
    const created = await postJson(
      url,
      {
        recipe: {
          name: `b-${randomBytes(4).toString('hex')}`,
          base_image: 'debian-bookworm',
          features: ['ssh'],
          users: [{ username: 'ada', password: 'correct horse' }],
        },
      },
      { headers },
    );
    this.events = await RawStream.open(`${url}/${created.json().build_id}/events`, { headers });
    await until(() => this.events.text.includes('event: status'));
  }

  private async openConsole(url: string): Promise<void> {
    this.consoleToken = tokenOfUrl((await postJson(url, {}, { headers: this.headers })).json().url as string);
    this.console = openConsole(this.app.url, this.consoleToken);
    const refused = consoleEnding(this.console).then((ending) => {
      this.ending = ending;
      throw new Error(`The console was closed: ${ending.reason}`);
    });
    await Promise.race([this.useConsole(), refused]);
  }

  /** Its guest says everything back; this is what a client of RFB says first. */
  private async useConsole(): Promise<void> {
    await once(this.console, 'open');
    this.console.send(Buffer.from('RFB 003.008\n'));
    await received(this.console, 12);
  }

  get over(): Record<string, boolean> {
    return {
      sse: this.sse.closed,
      listening: this.listening.closed,
      call: this.call.closed,
      events: this.events.closed,
      console: this.ending !== undefined,
    };
  }

  /** Whether the calls that ran were answered. */
  get answered(): boolean {
    return (
      this.sse.messages.some(({ id, result, error }) => id === 1 && (result || error)) ||
      /"(result|error)":/.test(this.call.text)
    );
  }

  async works(): Promise<boolean> {
    const { status } = await this.sse.post({ jsonrpc: '2.0', id: 'alive', method: 'ping' }, { headers: this.headers });
    if (status === 202) await this.sse.until(() => this.sse.messages.some(({ id }) => id === 'alive'));
    return status === 202;
  }

  close(): void {
    for (const stream of [this.sse, this.listening, this.call, this.events]) stream?.close();
    this.console?.terminate();
  }
}

const password = 'four unlikely words here';
const nothing = { sse: false, listening: false, call: false, events: false, console: false };
const everything = { sse: true, listening: true, call: true, events: true, console: true };

/** Everything that a caller may try once they have lost their right. */
async function attempts({ app, headers, sse, sessionId }: Opened): Promise<RawResponse[]> {
  return await Promise.all([
    send(`${app.url}/api/mcp/sse`, { headers }),
    sse.post({ jsonrpc: '2.0', id: 9, method: 'ping' }, { headers }),
    postJson(
      `${app.url}/api/mcp`,
      { jsonrpc: '2.0', id: 9, method: 'ping' },
      { headers: { ...both, ...headers, 'mcp-session-id': sessionId } },
    ),
    send(`${app.url}/api/recipes`, { headers }),
  ]);
}

async function expectGone(gone: Opened, abortedBefore: number, refusal = 'Invalid API key'): Promise<void> {
  await until(() => Object.values(gone.over).every(Boolean));
  expect(gone.over).toEqual(everything);
  // Two calls of each ran.
  await until(() => ProbeTools.aborted >= abortedBefore + 2);
  expect(gone.ending).toEqual({ code: 4403, reason: 'console_link_revoked' });
  for (const response of await attempts(gone)) {
    expect(response).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': expect.stringContaining('invalid_token') },
    });
    expect(response.body).toContain(refusal);
  }
  expect(await consoleEnding(openConsole(gone.app.url, gone.consoleToken))).toEqual({
    code: 4403,
    reason: 'console_link_revoked',
  });
  expect(gone.answered).toBe(false);
}

const disable = ({ id }: TestPerson) =>
  first.app.get(DataSource).transaction(async (manager) => {
    await manager.query('UPDATE account SET disabled_at = now() WHERE id = $1', [id]);
    await first.app.get(Revocations).revoke(manager, [`user:${id}`]);
  });

describe.each([
  ['in the process that revokes', () => first],
  ['in another process, told by NOTIFY alone', () => second],
  ['in another process, its LISTEN connection cut, told by its poll alone', () => deaf],
])('%s,', (_, app) => {
  it('a revoked key loses everything that was opened with it, other keys nothing', async () => {
    const ada = await addPerson(database);
    const [key, other] = [await createKey(first.url, ada), await createKey(first.url, ada)];
    const [mine, others] = [await Opened.open(app(), key.headers), await Opened.open(app(), other.headers)];
    expect([mine.over, others.over]).toEqual([nothing, nothing]);
    const aborted = ProbeTools.aborted;

    expect(await send(`${first.url}/api/mcp-keys/${key.id}`, { method: 'DELETE', headers: ada.headers })).toMatchObject(
      { status: 204 },
    );
    await expectGone(mine, aborted);
    expect(ProbeTools.aborted).toBe(aborted + 2);
    expect(others.over).toEqual(nothing);
    expect(await others.works()).toBe(true);
    expect(await send(`${app().url}/api/mcp-keys`, { headers: ada.headers })).toMatchObject({ status: 200 });
    expect(app().app.get(EventBus).connected).toBe(app() !== deaf);
  }, 60_000);

  it('a disabled account loses everything that was opened by its keys and by itself, others nothing', async () => {
    const [ada, bob] = [await addPerson(database), await addPerson(database)];
    const [key, bobs] = [await createKey(first.url, ada), await createKey(first.url, bob)];
    const [mine, person, others] = [
      await Opened.open(app(), key.headers),
      await Opened.open(app(), ada.headers),
      await Opened.open(app(), bobs.headers),
    ];
    const aborted = ProbeTools.aborted;

    await disable(ada);
    await expectGone(mine, aborted);
    await expectGone(person, aborted + 2);
    expect(others.over).toEqual(nothing);
    expect(await others.works()).toBe(true);
  }, 60_000);

  it('somebody who signs out everywhere loses what their sessions opened, their keys nothing', async () => {
    const ada = await addPerson(database);
    const email = `${ada.id}@example.org`;
    await database.query('UPDATE account SET password_hash = $2 WHERE id = $1', [ada.id, await hash(password)]);
    const signIn = async () => ({
      authorization: `Bearer ${(await postJson(`${first.url}/api/auth/token`, { email, password })).json().token}`,
    });
    const [there, here] = [await signIn(), await signIn()];
    const [mine, byKey] = [
      await Opened.open(app(), there),
      await Opened.open(app(), (await createKey(first.url, { ...ada, headers: here })).headers),
    ];
    expect([mine.over, byKey.over]).toEqual([nothing, nothing]);
    const aborted = ProbeTools.aborted;

    expect(await send(`${first.url}/api/auth/sign-out-everywhere`, { method: 'POST', headers: here })).toMatchObject({
      status: 204,
    });
    await expectGone(mine, aborted, 'The access token is not valid');
    expect(byKey.over).toEqual(nothing);
    expect(await byKey.works()).toBe(true);
  }, 60_000);
});

describe('a message that was being sent while its key was revoked', () => {
  /** Sends all but the last byte of a message, and gives a function that sends that one and tells the answer. */
  async function sendSlowly(
    url: string,
    headers: Record<string, string>,
    message: object,
  ): Promise<() => Promise<string>> {
    const { host, hostname, port, pathname, search } = new URL(url);
    const body = JSON.stringify(message);
    const socket = net.connect(Number(port), hostname);
    let answer = '';
    const closed = new Promise<void>((resolve) =>
      socket
        .on('data', (chunk) => (answer += String(chunk)))
        .on('error', () => undefined)
        .on('close', () => resolve()),
    );
    const lines = Object.entries({
      host,
      connection: 'close',
      'content-type': 'application/json',
      accept: both.accept,
      'content-length': String(Buffer.byteLength(body)),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n${body.slice(0, -1)}`);
    // Until the head was read, and the key with it.
    await sleep(300);
    return async () => {
      socket.write(body.slice(-1));
      await closed;
      return answer;
    };
  }
  const echo = {
    jsonrpc: '2.0',
    id: 5,
    method: 'tools/call',
    params: { name: 'probe_echo', arguments: { text: 'late' } },
  };

  it('is not run, and opens nothing', async () => {
    const ada = await addPerson(database);
    const key = await createKey(first.url, ada);
    const mine = await Opened.open(second, key.headers);
    const finishing = [
      await sendSlowly(mine.sse.endpoint, key.headers, echo),
      await sendSlowly(`${second.url}/api/mcp`, { ...key.headers, 'mcp-session-id': mine.sessionId }, echo),
      await sendSlowly(`${second.url}/api/mcp`, key.headers, {
        jsonrpc: '2.0',
        id: 0,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18' },
      }),
    ];
    const echoes = ProbeTools.echoes;
    expect(await send(`${first.url}/api/mcp-keys/${key.id}`, { method: 'DELETE', headers: ada.headers })).toMatchObject(
      { status: 204 },
    );
    await until(() => Object.values(mine.over).every(Boolean));
    const answers = await Promise.all(finishing.map((finish) => finish()));
    expect(answers.map((answer) => answer.split('\r\n', 1)[0])).toEqual([
      'HTTP/1.1 404 Not Found',
      'HTTP/1.1 404 Not Found',
      'HTTP/1.1 401 Unauthorized',
    ]);
    expect(ProbeTools.echoes).toBe(echoes);
  }, 60_000);
});
