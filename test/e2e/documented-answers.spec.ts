import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openApiDocument } from '../../apps/api/src/openapi.js';
import { productOpenApi } from '../../apps/api/src/product-openapi.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { DocumentedAnswers, type OpenApi, type RealAnswer } from '../support/documented-answers.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- the document, looked into freely

let app: TestApp;
let document: Json;
let answers: DocumentedAnswers;
beforeAll(async () => {
  app = await startTestApp();
  document = openApiDocument(app.app, app.url);
  answers = new DocumentedAnswers(document as OpenApi);
});
afterAll(() => app.stop());

const operations = (): Json[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, operation]: [string, Json]) => ({
      at: `${method} ${path}`,
      method,
      ...operation,
    })),
  );
const problem = {
  type: 'about:blank',
  title: 'Not found',
  status: 404,
  detail: 'There is no build.',
  reason: 'build_not_found',
  request_id: 'r',
};
const answer = (more: Partial<RealAnswer> & { json?: unknown } = {}): RealAnswer => ({
  method: 'GET',
  url: '/api/builds/x',
  status: 404,
  headers: { 'content-type': 'application/problem+json' },
  body: JSON.stringify(more.json ?? problem),
  ...more,
});

describe('OpenAPI', () => {
  it('has an id, a summary, a described success and its refusals for every route', () => {
    expect(operations().length).toBeGreaterThan(50);
    for (const { at, method, operationId, summary, responses } of operations()) {
      expect([at, operationId]).toEqual([at, expect.stringMatching(/^[a-z][A-Za-z]+$/)]);
      expect([at, summary]).toEqual([at, expect.stringMatching(/^[A-Z].{4,}$/)]);
      const successes = Object.entries(responses).filter(([status]) => status.startsWith('2')) as [string, Json][];
      expect([at, successes.length > 0]).toEqual([at, true]);
      for (const [status, { content }] of successes)
        expect([
          at,
          status,
          status === '204'
            ? !content
            : Object.values(content ?? {}).every((media: Json) => Boolean(media.schema)) && Boolean(content),
        ]).toEqual([at, status, true]);
      for (const status of [
        '400',
        '403',
        '500',
        '503',
        ...(method === 'get' ? [] : ['408', '413', '415', '429'].filter(() => method !== 'delete')),
      ])
        expect([
          at,
          status,
          responses[status]?.content?.['application/problem+json']?.schema.allOf[1].properties.reason.enum.length > 0,
        ]).toEqual([at, status, true]);
    }
    expect(new Set(operations().map(({ operationId }) => operationId)).size).toBe(operations().length);
  });

  it('says of whose routes they are what the guards say', () => {
    const reasons = (path: string, method: string, status: number) =>
      document.paths[path][method].responses[status]?.content['application/problem+json'].schema.allOf[1].properties
        .reason.enum as string[] | undefined;
    expect(reasons('/api/auth/sign-up', 'post', 401)).toBeUndefined();
    expect(reasons('/api/builds', 'post', 403)).toEqual(expect.arrayContaining(['read_only', 'toolset_not_allowed']));
    expect(reasons('/api/builds', 'get', 403)).not.toContain('read_only');
    expect(reasons('/api/recipes/validate', 'post', 403)).not.toContain('read_only');
    expect(reasons('/api/admin/users', 'get', 403)).toEqual(
      expect.arrayContaining(['admins_only', 'sign_in_required']),
    );
    expect(reasons('/api/health/live', 'get', 429)).toBeUndefined();
    expect(reasons('/api/builds', 'post', 409)).toEqual(['idempotency_key_reused']);
  });
});

describe('the document that the web pages’ types are made of', () => {
  it('is made without a database, and is what a running factory serves', async () => {
    const served = await (await fetch(`${app.url}/api/docs.json`)).json();
    expect(JSON.parse(JSON.stringify({ ...(await productOpenApi()), servers: [{ url: app.url }] }))).toEqual(served);
  });
});

/** What startTestApp holds every answer of this tier against the document with. */
describe('a real answer', () => {
  it('passes as documented, and where nothing is documented', () => {
    expect(answers.check(answer())).toBeUndefined();
    expect(answers.check(answer({ url: '/nothing', status: 418 }))).toBeUndefined();
  });

  it.each([
    ['a status that is not documented', { status: 418 }],
    ['a reason that is not documented', { json: { ...problem, reason: 'made_up' } }],
    ['a field that is not documented', { json: { ...problem, more: 1 } }],
    ['a missing field', { json: { ...problem, request_id: undefined } }],
    ['another media type', { headers: { 'content-type': 'text/html' } }],
    [
      'a missing header',
      {
        method: 'POST',
        url: '/api/builds',
        status: 202,
        headers: { 'content-type': 'application/json' },
        json: { build_id: 'x' },
      },
    ],
    ['a body where there is none', { method: 'DELETE', status: 204, body: 'x' }],
  ])('is found with %s', (_, more) => {
    expect(answers.check(answer(more))).toEqual(expect.any(String));
  });

  it('is seen on its way out, whichever way it is sent', async () => {
    const seen = new DocumentedAnswers(document as OpenApi);
    const server = createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).write('{"builds":[],');
      response.end(request.url === '/api/builds' ? '"total":"none"}' : '"total":0}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    seen.watch(server);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await (await fetch(`${url}/api/builds?limit=1`)).text();
    expect(seen.faults).toEqual([]);
    await (await fetch(`${url}/api/builds`)).text();
    expect(seen.faults).toEqual([expect.stringContaining('GET /api/builds 200: /total must be integer')]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('is held against what is written out before what is filled in', () => {
    expect(
      answers.check(
        answer({
          url: '/api/recipes/schema?x=1',
          status: 200,
          headers: { 'content-type': 'application/json' },
          json: { anything: 1 },
        }),
      ),
    ).toBeUndefined();
    expect(
      answers.check(
        answer({
          url: '/api/recipes/mine',
          status: 200,
          headers: { 'content-type': 'application/json' },
          json: { anything: 1 },
        }),
      ),
    ).toContain('/api/recipes/{id} 200');
  });
});
