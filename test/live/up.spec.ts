import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { buildAccount } from '#libs/platform';
import { makeEndlessTree } from '../support/endless-tree.js';
import { FactoryProcess, leftOvers, makeDataDir, untilNothingIsLeft } from '../support/factory-process.js';
import { RawSseClient, send } from '../support/raw-client.js';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
let data: Awaited<ReturnType<typeof makeDataDir>>;
let factory: FactoryProcess | undefined;
const start = (environment?: Record<string, string>) => (factory = FactoryProcess.start(data.dir, environment));

beforeAll(async () => {
  data = await makeDataDir();
});
afterEach(async () => {
  if (factory && factory.child.exitCode === null && factory.child.signalCode === null) await factory.kill('SIGKILL');
  expect(await untilNothingIsLeft(data.dir)).toEqual([]);
});
afterAll(() => data.remove());

const connect = async (url: string) => {
  const client = new Client({ name: 'live', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${url}/api/mcp/sse`)));
  return client;
};
const createRecipe = async (client: Client, name: string) => {
  const { structuredContent, isError, content } = await client.callTool({
    name: 'create_recipe_from_template',
    arguments: { template_id: 'debian-server', name },
  });
  if (isError) throw new Error(JSON.stringify(content));
  return (structuredContent as { recipe_id: string }).recipe_id;
};

describe('openfactory up', () => {
  it('starts from nothing, says where everything is, and serves', async () => {
    const url = await start().ready();
    for (const part of [
      `${url}/api/mcp/sse`,
      `${url}/api/mcp/messages`,
      `${url}/api/docs`,
      'claude mcp add --transport sse openfactory',
      '"mcpServers"',
    ])
      expect(factory!.output).toContain(part);
    const configuration = JSON.parse(/^ {2}\{[\s\S]*?^ {2}\}/m.exec(factory!.output)![0]);
    expect(configuration).toEqual({ mcpServers: { openfactory: { url: `${url}/api/mcp/sse` } } });
    // The port that was bound, and not the 0 that was asked for.
    expect(await (await fetch(`${url}/api/docs.json`)).json()).toMatchObject({ servers: [{ url }] });
    const client = await connect(url);
    expect((await client.listTools()).tools.length).toBeGreaterThan(0);
    await client.close();
    expect(await factory!.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 90_000);

  it('starts whatever recipes and guests left behind, removes it meanwhile, and serves', async () => {
    const account = await buildAccount();
    const [entry, snapshot] = ['c'.repeat(64), 'd'.repeat(64)];
    const strangers = [`builds/cache/configure/${entry}.partial-0123456789ab`, 'builds/work/0-1234abcd/plan'].map(
      (name) => path.join(data.dir, name),
    );
    const guests = [
      `vms/machines/${randomUUID()}/guest-abcdef/own`,
      `vms/templates/${entry}/guest-abcdef/own`,
      `vms/snapshots/${snapshot}`,
    ].map((name) => path.join(data.dir, name));
    for (const dir of strangers) await makeEndlessTree(path.join(dir, 'layer'), account);
    for (const dir of guests) await makeEndlessTree(dir);
    const client = await connect(await start().ready());
    expect((await client.listTools()).tools.length).toBeGreaterThan(0);
    await client.close();
    const { mode, uid, gid } = await stat(path.join(data.dir, 'builds'));
    expect([mode & 0o777, uid, gid]).toEqual(
      account ? [0o710, 0, account.gid] : [0o700, process.getuid?.(), process.getgid?.()],
    );
    const left = async () =>
      (
        await Promise.all(
          ['builds/cache/configure', 'builds/work', 'vms/machines', 'vms/templates', 'vms/snapshots'].map((name) =>
            readdir(path.join(data.dir, name)),
          ),
        )
      ).flat();
    for (const patience = Date.now() + 20_000; (await left()).length && Date.now() < patience;) await sleep(50);
    expect(await left()).toEqual([]);
    expect(await factory!.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 90_000);

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends everything at %s although clients are connected and calls are running',
    async (signal) => {
      const url = await start().ready();
      const client = await RawSseClient.open(url);
      const streamable = fetch(`${url}/api/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}',
      });
      const sessionId = (await streamable).headers.get('mcp-session-id')!;
      const listening = await fetch(`${url}/api/mcp`, {
        headers: { accept: 'text/event-stream', 'mcp-session-id': sessionId },
      });
      const ended = await Promise.race([
        factory!.kill(signal),
        new Promise((resolve) => setTimeout(() => resolve('still running after 10 s'), 10_000)),
      ]);
      expect(ended).toEqual({ code: 0, signal: null });
      await client.until(() => client.closed);
      await listening.text().catch(() => undefined);
      expect(await leftOvers(data.dir)).toEqual([]);
    },
    60_000,
  );

  it('keeps an anonymous caller’s work over a SIGKILL and a restart, and its clients come back by themselves', async () => {
    const port = await freePort();
    const url = await start({ OPENFACTORY_PORT: String(port) }).ready();
    const client = await connect(url);
    const recipeId = await createRecipe(client, 'kept-over-a-kill');
    await factory!.kill('SIGKILL');
    await start({ OPENFACTORY_PORT: String(port) }).ready();
    const deadline = Date.now() + 20_000;
    let found: unknown;
    while (!found && Date.now() < deadline)
      found = await client
        .callTool({ name: 'get_recipe', arguments: { recipe_id: recipeId } }, undefined, { timeout: 3_000 })
        .catch(() => undefined);
    expect(found).toMatchObject({ structuredContent: { id: recipeId, recipe: { name: 'kept-over-a-kill' } } });
    await client.close();
    await factory!.kill('SIGTERM');
  }, 120_000);

  it('logs requests with their id, and no secret', async () => {
    const url = await start({ OPENFACTORY_LOG_LEVEL: 'debug' }).ready();
    const client = await connect(url);
    await client.callTool({
      name: 'validate_recipe',
      arguments: {
        recipe: {
          name: 'secret-recipe',
          base_image: 'debian-bookworm',
          users: [{ username: 'ada', password: 'hunter2-in-recipe' }],
        },
      },
    });
    await send(`${url}/api/recipes?search=x`, {
      headers: { 'x-request-id': 'trace-me-12345', authorization: 'Bearer hunter2-as-key', cookie: 'hunter2-cookie' },
    });
    await send(`${url}/api/recipes?token=hunter2-in-query`, { headers: { 'x-request-id': 'trace-me-67890' } });
    await send(`${url}/api/mcp/of_mcp_hunter2`, { headers: { 'x-api-key': 'hunter2-in-header' } });
    await client.close();
    await factory!.kill('SIGTERM');
    expect(factory!.output).toContain('trace-me-12345');
    expect(factory!.output).toContain('trace-me-67890');
    expect(factory!.output).not.toContain('hunter2');
  }, 60_000);

  it('brings its database back when that is killed', async () => {
    const url = await start().ready();
    const pid = Number((await readFile(path.join(data.dir, 'database/postmaster.pid'), 'utf8')).split('\n', 1)[0]);
    process.kill(pid, 'SIGKILL');
    const client = await connect(url);
    let recovered = false;
    for (const deadline = Date.now() + 30_000; !recovered && Date.now() < deadline;) {
      recovered =
        (await client.callTool({ name: 'list_recipes', arguments: {} }).then(
          ({ isError }) => !isError,
          () => false,
        )) && (await send(`${url}/api/health/ready`)).status === 200;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(recovered).toBe(true);
    await client.close();
    await factory!.kill('SIGTERM');
  }, 90_000);
});

describe('what is missing or wrong is one sentence', () => {
  /** The factory’s last words; it must have ended by itself with code 1 and no stack trace. */
  const complaint = async (environment: Record<string, string>, dataDir = data.dir) => {
    factory = FactoryProcess.start(dataDir, environment);
    expect(await factory.ended).toEqual({ code: 1, signal: null });
    const lines = factory.output.trim().split('\n');
    expect(lines).toHaveLength(1);
    return lines[0]!;
  };

  it('a port that is taken', async () => {
    const { server, port } = await listening();
    try {
      expect(await complaint({ OPENFACTORY_PORT: String(port) })).toBe(
        `openfactory: The address 127.0.0.1:${port} is taken by another program. Stop that program, or choose another port with OPENFACTORY_PORT.`,
      );
    } finally {
      server.close();
    }
  }, 60_000);

  it('a configuration that is wrong', async () => {
    expect(await complaint({ OPENFACTORY_PORT: 'http' })).toContain('OPENFACTORY_PORT must be a whole number');
  });

  it('a PostgreSQL server that cannot be reached', async () => {
    const said = await complaint({
      DATABASE_URL: `postgres://ada:hunter2@127.0.0.1:${await freePort()}/of`,
      OPENFACTORY_SECRET: 'x'.repeat(40),
    });
    expect(said).toMatch(/^openfactory: The PostgreSQL server cannot be reached \(ECONNREFUSED\)\. Check/);
    expect(said).not.toContain('hunter2');
  }, 60_000);

  it('a second factory on the same data directory', async () => {
    const first = start();
    await first.ready();
    expect(await complaint({})).toContain(`Another OpenFactory is running on ${data.dir}.`);
    await first.kill('SIGTERM');
  }, 90_000);

  it('a data directory of another PostgreSQL major version', async () => {
    const other = await makeDataDir();
    await mkdir(path.join(other.dir, 'database'));
    await writeFile(path.join(other.dir, 'database/PG_VERSION'), '15\n');
    expect(await complaint({}, other.dir)).toMatch(
      /holds a PostgreSQL 15 database, but this OpenFactory brings PostgreSQL 18\. Start the OpenFactory version that made it/,
    );
    await other.remove();
  }, 60_000);

  it('a data directory that others may not traverse', async () => {
    if (!isRoot) return void console.warn('skipped: only root drops to another account');
    const closed = await mkdtemp('/tmp/openfactory-closed-');
    expect(await complaint({ OPENFACTORY_DATA_DIR: path.join(closed, 'data') }, path.join(closed, 'data'))).toMatch(
      /must be traversable \(chmod o\+x\)/,
    );
    await rm(closed, { recursive: true });
  }, 60_000);

  it('a disk that is full', async () => {
    if (!isRoot) return void console.warn('skipped: only root can mount a small disk');
    const small = await makeDataDir();
    await run('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=755', 'openfactory-test', small.dir]);
    try {
      expect(await complaint({}, small.dir)).toMatch(
        /has \d+ MB free; the factory needs at least 269 MB to start\. Free some space/,
      );
    } finally {
      await run('umount', [small.dir]);
      await small.remove();
    }
  }, 60_000);
});

async function listening(): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { server, port: (server.address() as net.AddressInfo).port };
}

async function freePort(): Promise<number> {
  const { server, port } = await listening();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
