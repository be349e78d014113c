import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionRegistry } from '#libs/mcp';
import { startTestApp, type TestApp } from '../support/app.js';
import { postJson, RawSseClient, send } from '../support/raw-client.js';

const perMinute = 30;
let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ environment: { OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: String(perMinute) } });
});
afterAll(() => app.stop());

/** Promises a body and sends but its first byte. @returns the answer that came nevertheless */
function halfSent(
  route: string,
  {
    from,
    headers = {},
    promised = 2_000_000,
    method = 'POST',
  }: { from: string; headers?: Record<string, string>; promised?: number; method?: string },
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      `${app.url}${route}`,
      {
        method,
        localAddress: from,
        agent: false,
        headers: { 'content-type': 'application/json', 'content-length': String(promised), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          // The rest of the body is drained for a while; the answer is here.
          const body = Buffer.concat(chunks).toString('utf8');
          if (Buffer.byteLength(body) < Number(response.headers['content-length'])) return;
          request.destroy();
          resolve({ status: response.statusCode ?? 0, body });
        });
        response.on('error', () => undefined);
      },
    );
    request.on('error', reject);
    request.write('{');
  });
}
const reasonOf = ({ body }: { body: string }): unknown => {
  const said = JSON.parse(body) as { reason?: string; error?: { data?: { reason?: string } } };
  return said.reason ?? said.error?.data?.reason;
};

describe('headers alone decide', () => {
  it.each<[string, string, Record<string, string>, number, string]>([
    [
      'a key that is not valid',
      '/api/recipes/validate',
      { authorization: 'Bearer of_mcp_nothing' },
      401,
      'invalid_api_key',
    ],
    ['nobody, where people are asked for', '/api/mcp-keys', {}, 401, 'credentials_required'],
    ['an address that there is not', '/api/nothing', {}, 404, 'route_not_found'],
    ['another type', '/api/recipes/validate', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a length beyond the limit', '/api/recipes/validate', { 'content-length': '2097153' }, 413, 'body_too_large'],
    [
      'a key that is not valid, over MCP',
      '/api/mcp',
      { authorization: 'Bearer of_mcp_nothing' },
      401,
      'invalid_api_key',
    ],
    ['a session that there is not', '/api/mcp/messages?sessionId=none', {}, 404, 'session_not_found'],
    ['an initialize beyond its limit', '/api/mcp', { 'content-length': '65537' }, 413, 'body_too_large'],
  ])('%s: answered while the body is still to come', async (_what, route, headers, status, reason) => {
    const answer = await halfSent(route, { from: '127.0.0.11', headers });
    expect({ status: answer.status, reason: reasonOf(answer) }).toEqual({ status, reason });
  });

  it('too many calls: neither REST nor MCP waits for the body', async () => {
    const from = '127.0.0.12';
    for (let call = 0; call < perMinute; call++) await postJson(`${app.url}/api/recipes/validate`, {}, { from });
    for (const route of ['/api/recipes/validate', '/api/mcp']) {
      const answer = await halfSent(route, { from, promised: 60_000 });
      expect({ route, status: answer.status, reason: reasonOf(answer) }).toEqual({
        route,
        status: 429,
        reason: 'rate_limited',
      });
    }
  });
});

describe('bytes that are no UTF-8', () => {
  const recipe = (name: string) =>
    JSON.stringify({ recipe: { name: 'x', base_image: 'debian-trixie', description: name } });
  /** Without a session it is refused, once it was read. */
  const ping = (note: string) => JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { note } });
  const bytes = (body: string, encoding: BufferEncoding, type = 'application/json') => ({
    method: 'POST',
    from: '127.0.0.14',
    body: Buffer.from(body, encoding),
    headers: { 'content-type': type, accept: 'application/json, text/event-stream' },
  });

  it('are refused over REST and MCP, never put into another text', async () => {
    const rest = await send(`${app.url}/api/recipes/validate`, bytes(recipe('ü'), 'latin1'));
    expect({ status: rest.status, ...rest.json() }).toMatchObject({
      status: 400,
      reason: 'malformed_json',
      detail: expect.stringContaining('UTF-8'),
    });
    const mcp = await send(`${app.url}/api/mcp`, bytes(ping('ü'), 'latin1'));
    expect({ status: mcp.status, ...mcp.json() }).toMatchObject({
      status: 400,
      id: null,
      error: { code: -32700, message: expect.stringContaining('UTF-8') },
    });
  });

  it('or that say so themselves are another type; a byte-order mark is left out', async () => {
    for (const [route, body, read] of [
      ['/api/recipes/validate', recipe('u'), '"valid":true'],
      ['/api/mcp', ping('u'), '-32600'],
    ] as const) {
      expect(
        await send(`${app.url}${route}`, bytes(body, 'latin1', 'application/json; charset=iso-8859-1')),
      ).toMatchObject({ status: 415 });
      expect(
        (await send(`${app.url}${route}`, bytes(`\uFEFF${body}`, 'utf8', 'application/json; charset=UTF-8'))).body,
      ).toContain(read);
    }
  });
});

describe('bodies that are held half sent', () => {
  it('have a bound by address, and others go on', async () => {
    const held = Array.from({ length: 16 }, () => {
      const request = http.request(`${app.url}/api/recipes/validate`, {
        method: 'POST',
        localAddress: '127.0.0.13',
        agent: false,
        headers: { 'content-type': 'application/json', 'content-length': '2097152' },
      });
      request.on('error', () => undefined);
      request.write('{');
      return request;
    });
    try {
      let refused = await halfSent('/api/auth/token', { from: '127.0.0.13', promised: 2_097_152 }).catch(
        () => undefined,
      );
      for (let tries = 0; tries < 20 && refused?.status !== 429; tries++)
        refused = await halfSent('/api/auth/token', { from: '127.0.0.13', promised: 2_097_153 - 1 });
      expect({ status: refused?.status, reason: refused && reasonOf(refused) }).toEqual({
        status: 429,
        reason: 'too_many_bodies',
      });
      expect((await postJson(`${app.url}/api/recipes/validate`, { recipe: {} }, { from: '127.0.0.14' })).status).toBe(
        200,
      );
    } finally {
      held.forEach((request) => request.destroy());
    }
  });
});

describe('more values than any input has', () => {
  const unknown = Object.fromEntries(Array.from({ length: 99_000 }, (_, at) => [`k${at}`, 0]));
  it.each<[string, unknown]>([
    ['/api/recipes/validate', { recipe: unknown }],
    ['/api/builds', { recipe: unknown }],
    ['/api/auth/token', unknown],
    ['/api/recipes/validate', { recipe: { packages: Array(99_000).fill('a') } }],
  ])('are refused before they are read: %s', async (route, body) => {
    const answer = await postJson(`${app.url}${route}`, body, { from: '127.0.0.16' });
    expect({ status: answer.status, reason: reasonOf(answer) }).toEqual({ status: 413, reason: 'too_many_values' });
  });

  it('are refused over MCP, and in the text of a recipe', async () => {
    const client = await RawSseClient.open(app.url, { from: '127.0.0.17' });
    const call = (recipe: unknown) => ({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'validate_recipe', arguments: { recipe } },
    });
    expect(reasonOf(await client.post(call(unknown)))).toBe('too_many_values');
    await client.post(call(JSON.stringify(unknown)));
    await client.until(() => client.messages.length > 0);
    expect(JSON.stringify(client.messages)).toContain('not_an_object');
    client.close();
  });
});

describe('what a client says of itself', () => {
  it('is not kept at any length', async () => {
    const much = 'x'.repeat(3_000_000);
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: { other: { much } },
        clientInfo: { name: 'c', version: '1', other: much },
      },
    };
    expect((await postJson(`${app.url}/api/mcp`, initialize, { from: '127.0.0.15' })).status).toBe(413);
    expect(app.app.get(SessionRegistry).size).toBe(0);
  });
});
