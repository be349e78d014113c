import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app.js';

/** The requests of openfactory-mcp.txt ("Managing API Keys", "Creating an API Key", "Troubleshooting") as its reader types them, with curl(1). */
const password = 'four unlikely words here';
let app: TestApp;
let token: string;

beforeAll(async () => {
  app = await startTestApp({
    environment: { OPENFACTORY_ADMIN_EMAIL: 'root@example.org', OPENFACTORY_ADMIN_PASSWORD: password },
  });
  ({ token } = JSON.parse(
    (
      await curl(
        '-X',
        'POST',
        '-H',
        'Content-Type: application/json',
        '-d',
        JSON.stringify({ email: 'root@example.org', password }),
        `${app.url}/api/auth/token`,
      )
    ).body,
  ) as { token: string });
});
afterAll(() => app.stop());

async function curl(...args: string[]): Promise<{ status: number; body: string }> {
  const { stdout } = await promisify(execFile)('curl', ['-sS', '-w', '\n%{http_code}', ...args]);
  const [, body = '', status] = /^([^]*)\n(\d+)$/.exec(stdout) ?? [];
  return { status: Number(status), body };
}
const asPerson = (): string[] => ['-H', `Authorization: Bearer ${token}`];
const createKey = async () => {
  const { status, body } = await curl(
    '-X',
    'POST',
    ...asPerson(),
    '-H',
    'Content-Type: application/json',
    '-d',
    '{"name": "Claude Desktop"}',
    `${app.url}/api/mcp-keys`,
  );
  expect(status).toBe(201);
  return JSON.parse(body) as { id: string; key: string; prefix: string };
};

/** Reads a stream until its first event is there. */
async function firstEvent(...args: string[]): Promise<string> {
  const child = spawn('curl', ['-sSN', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes('\n\n')) break;
  }
  if (child.exitCode === null) {
    child.kill();
    await once(child, 'exit');
  }
  return text;
}

describe('the documented requests, as written', () => {
  it('POST, GET and DELETE /api/mcp-keys', async () => {
    const { id, key, prefix } = await createKey();
    expect(key).toMatch(/^of_mcp_[0-9A-Za-z]{36}$/);
    const listed = await curl(...asPerson(), `${app.url}/api/mcp-keys`);
    expect(listed).toMatchObject({ status: 200, body: expect.stringContaining(prefix) });
    expect(listed.body).not.toContain(key);
    expect(await curl('-X', 'DELETE', ...asPerson(), `${app.url}/api/mcp-keys/${id}`)).toEqual({
      status: 204,
      body: '',
    });
    expect(await curl('-H', `Authorization: Bearer ${key}`, `${app.url}/api/recipes`)).toMatchObject({
      status: 401,
      body: expect.stringContaining('Invalid API key'),
    });
  });

  it('curl -H "Accept: text/event-stream" …/api/mcp/sse, without a key and with one', async () => {
    const { key } = await createKey();
    const sse = ['-H', 'Accept: text/event-stream', `${app.url}/api/mcp/sse`];
    for (const authorization of [[], ['-H', `Authorization: Bearer ${key}`]])
      expect(await firstEvent(...authorization, ...sse)).toMatch(/^event: endpoint$/m);
    expect(await curl('-H', 'Authorization: Bearer of_mcp_your_key_here', ...sse)).toMatchObject({
      status: 401,
      body: expect.stringContaining('Invalid API key'),
    });
  });
});
