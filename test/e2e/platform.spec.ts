import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app.js';
import { postJson, RawSseClient, send } from '../support/raw-client.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    environment: {
      OPENFACTORY_PUBLIC_URL: 'http://factory.example/base',
      OPENFACTORY_ALLOWED_HOSTS: '127.0.0.1',
      OPENFACTORY_ALLOWED_ORIGINS: 'https://console.example',
    },
  });
});
afterAll(() => app.stop());

const at = (path: string) => `http://127.0.0.1:${(app.app.getHttpServer().address() as { port: number }).port}${path}`;

describe('operations', () => {
  it('is live and ready', async () => {
    expect((await send(at('/api/health/live'))).json()).toEqual({ status: 'ok' });
    const ready = await send(at('/api/health/ready'));
    expect(ready.status).toBe(200);
    expect(Object.keys(ready.json().details)).toEqual(['shutdown', 'database', 'events', 'queue']);
  });

  it('shows metrics to loopback, but not through a proxy', async () => {
    expect((await send(at('/metrics'))).body).toContain('openfactory_mcp_sessions ');
    for (const name of ['x-forwarded-for', 'cf-connecting-ip', 'true-client-ip', 'via'])
      expect([name, (await send(at('/metrics'), { headers: { [name]: '203.0.113.5' } })).status]).toEqual([name, 403]);
  });

  it('describes itself: every route, every schema that a route names', async () => {
    const document = (await send(at('/api/docs.json'))).json();
    expect(document.servers).toEqual([{ url: 'http://factory.example/base' }]);
    const named = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
    expect(named.filter((name) => !document.components.schemas[name!])).toEqual([]);
    expect(await send(at('/api/docs'))).toMatchObject({
      status: 200,
      headers: {
        'content-type': expect.stringContaining('text/html'),
        'content-security-policy': expect.not.stringContaining('upgrade-insecure-requests'),
      },
    });
  });
});

describe('the web console', () => {
  const html = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

  it.each(['/', '/account', '/console/some-vm', '/builds/some-id/log', '/api-keys'])(
    'has its page for a browser at %s, which is never kept',
    async (path) => {
      const page = await send(at(path), { headers: html });
      expect(page).toMatchObject({
        status: 200,
        headers: { 'content-type': expect.stringContaining('text/html'), 'cache-control': 'no-store' },
      });
      expect(page.body).toContain(`<base href="${'../'.repeat(path.split('/').length - 2) || './'}" />`);
    },
  );

  it.each([
    '/api',
    '/api/',
    '/api/nothing',
    '//api/nothing',
    '/API/nothing',
    '/api/builds/',
    '/metrics/x',
    '/.well-known/oauth-protected-resource',
    '/assets',
    '/assets/a/b',
  ])('has none at %s', async (path) => {
    const answer = await send(at('/'), { path, headers: html });
    expect(answer.headers['content-type']).not.toContain('text/html');
  });

  it('has its files at one place, kept for ever', async () => {
    const [, file] = /src="\.\/(assets\/[^"]+)"/.exec((await send(at('/any/where'), { headers: html })).body) ?? [];
    expect(await send(at(`/${file}`))).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'public, max-age=31536000, immutable' },
    });
    expect(await send(at('/assets/none.js'), { headers: html })).toMatchObject({
      status: 404,
      headers: { 'cache-control': 'no-store' },
    });
  });
});

describe('every request', () => {
  it.each([
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-authorization-server/api/mcp/sse',
    '/nothing',
    '/api/mcp/nothing',
    '/%E0%A4%A',
  ])('finds JSON where nothing is: %s', async (path) => {
    const response = await send(at(path));
    expect([400, 404]).toContain(response.status);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.json()).toMatchObject({
      status: response.status,
      reason: expect.any(String),
      request_id: expect.any(String),
    });
  });

  it('carries an id, the client’s where that is harmless', async () => {
    expect(
      (await send(at('/api/health/live'), { headers: { 'x-request-id': 'trace-12345678' } })).headers['x-request-id'],
    ).toBe('trace-12345678');
    for (const bad of ['short', 'a b c d e f g h', 'x'.repeat(200)])
      expect(
        (await send(at('/api/health/live'), { headers: { 'x-request-id': bad } })).headers['x-request-id'],
      ).toMatch(/^[\w-]{36}$/);
  });

  it('gets the security headers', async () => {
    expect((await send(at('/api/health/live'))).headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'cache-control': 'no-store',
    });
    expect((await send(at('/api/health/live'))).headers).not.toHaveProperty('x-powered-by');
  });

  it('must be JSON, and small, where it changes something', async () => {
    expect(
      await send(at('/api/recipes/validate'), {
        method: 'POST',
        body: 'name=x',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    ).toMatchObject({ status: 415 });
    expect(await postJson(at('/api/recipes/validate'), 'x'.repeat(3_000_000))).toMatchObject({ status: 413 });
    const broken = await postJson(at('/api/recipes/validate'), '{"recipe":');
    expect(broken.json()).toMatchObject({ status: 400, reason: 'malformed_json' });
  });

  it('may come from the pages of an allowed origin only', async () => {
    const preflight = await send(at('/api/mcp'), {
      method: 'OPTIONS',
      headers: { origin: 'https://console.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': 'https://console.example',
        'access-control-allow-headers': expect.stringContaining('Mcp-Session-Id'),
      },
    });
    expect(
      (await send(at('/api/health/live'), { headers: { origin: 'https://console.example' } })).headers,
    ).toMatchObject({
      'access-control-allow-origin': 'https://console.example',
      'access-control-expose-headers': expect.stringContaining('Mcp-Session-Id'),
      vary: expect.stringContaining('Origin'),
    });
    expect(
      await send(at('/api/mcp'), {
        method: 'OPTIONS',
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
      }),
    ).toMatchObject({ status: 403 });
  });

  describe.each(['cross-site', 'same-site'])('of a page of another site (%s)', (site) => {
    const image = { 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
    const link = {
      'sec-fetch-site': site,
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'sec-fetch-user': '?1',
    };
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };

    it('is refused where only programs ask: REST, MCP, metrics, websockets', async () => {
      for (const path of [
        '/api/recipes',
        '/api/mcp',
        '/api/mcp/sse',
        '/api/mcp/sse/',
        '/API/recipes',
        '/api/health/live',
        '/metrics',
      ]) {
        for (const headers of [image, link])
          expect([path, (await send(at(path), { headers })).status]).toEqual([path, 403]);
      }
      expect(await postJson(at('/api/recipes/validate'), {}, { headers: link })).toMatchObject({ status: 403 });
      expect(await send(at('/api/vms/x/console'), { headers: { ...image, ...upgrade } })).toMatchObject({
        status: 403,
      });
      expect((await send(at('/api/recipes'), { headers: image })).json()).toMatchObject({ reason: 'foreign_page' });
    });

    it('may lead a person to a page or a signed download', async () => {
      expect(await send(at('/console/vm-1'), { headers: link })).toMatchObject({ status: 200 });
      expect(await send(at('/api/docs'), { headers: link })).toMatchObject({ status: 200 });
      expect((await send(at('/api/downloads/not-a-token'), { headers: link })).json()).toMatchObject({
        reason: 'download_link_invalid',
      });
    });

    it('may call from an allowed origin', async () => {
      expect(
        await send(at('/api/recipes'), {
          headers: { ...image, 'sec-fetch-mode': 'cors', origin: 'https://console.example' },
        }),
      ).toMatchObject({ status: 200 });
    });
  });

  it('of the factory’s own pages, and of the address bar, is served', async () => {
    for (const site of ['same-origin', 'none'])
      expect(await send(at('/api/recipes'), { headers: { 'sec-fetch-site': site } })).toMatchObject({ status: 200 });
  });

  it('may name the public host', async () => {
    expect(await send(at('/api/health/live'), { headers: { host: 'factory.example' } })).toMatchObject({ status: 200 });
    expect(await send(at('/api/health/live'), { headers: { host: 'other.example' } })).toMatchObject({ status: 403 });
  });
});

describe('behind a path and a proxy', () => {
  it('hands out addresses below the public path', async () => {
    const client = await RawSseClient.open(at(''));
    expect(client.events[0]!.data).toMatch(/^\/base\/api\/mcp\/messages\?sessionId=/);
    client.close();
  });

  it('tells its callers apart by what a trusted proxy says', async () => {
    const behind = await startTestApp({ environment: { OPENFACTORY_TRUST_PROXY: '127.0.0.1' } });
    try {
      const mine = await RawSseClient.open(behind.url, { headers: { 'x-forwarded-for': '203.0.113.5' } });
      const message = { jsonrpc: '2.0', id: 1, method: 'ping' };
      expect(await mine.post(message, { headers: { 'x-forwarded-for': '::ffff:203.0.113.5' } })).toMatchObject({
        status: 202,
      });
      expect(await mine.post(message, { headers: { 'x-forwarded-for': '203.0.113.6' } })).toMatchObject({
        status: 404,
      });
      expect(
        await mine.post(message, { headers: { 'x-forwarded-for': '203.0.113.5' }, from: '127.0.0.2' }),
      ).toMatchObject({ status: 403 });
      mine.close();
    } finally {
      await behind.stop();
    }
  });

  it('wants the metrics token from everybody once there is one', async () => {
    const guarded = await startTestApp({ environment: { OPENFACTORY_METRICS_TOKEN: 'scrape-me' } });
    try {
      expect(await send(`${guarded.url}/metrics`)).toMatchObject({ status: 403 });
      expect(await send(`${guarded.url}/metrics`, { headers: { authorization: 'Bearer scrape-me' } })).toMatchObject({
        status: 200,
      });
      expect(await send(`${guarded.url}/metrics`, { headers: { authorization: 'Bearer scrape-you' } })).toMatchObject({
        status: 403,
      });
    } finally {
      await guarded.stop();
    }
  });
});
