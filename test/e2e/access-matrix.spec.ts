import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { productRoot } from '#libs/platform';
import { AccessWorld, callerKinds, type Belongings, type CallerKind } from '../support/access-world.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory, looked into freely

const file = path.join(productRoot, 'docs/access.md');
const malformed = 'no-such-thing';
let world: AccessWorld;
const seen = { routes: new Map<string, string[]>(), tools: new Map<string, string[]>() };
/** Whoever owns the thing comes last: it may be gone afterwards. */
const order = [...callerKinds].sort(
  (a, b) => Number(['anonymous', 'user'].includes(a)) - Number(['anonymous', 'user'].includes(b)),
);

/** Bodies that get past validation, so that the answer is about the right and not about the input. */
const bodies: Record<string, unknown> = {
  'POST /api/vms/:name/interact': { actions: [{ type: 'move', x: 1, y: 1 }] },
  'POST /api/vms/:name/snapshots': { name: 'point' },
};

/** Every route that the application has, read from its router, so that none is forgotten. */
function routes(): string[] {
  const { stack } = (world.app.app.getHttpAdapter().getInstance() as Json).router;
  const found = (stack as Json[]).flatMap(({ route }) =>
    route ? Object.keys(route.methods as object).map((method) => `${method.toUpperCase()} ${route.path}`) : [],
  );
  // Deepest first and deletions last, so that every route finds what it is about.
  const rank = (route: string) => (/sign-out/.test(route) ? 2 : route.startsWith('DELETE') ? 1 : 0);
  return [...new Set(found)]
    .filter((route) => /^\w+ \/(?!api\/docs\/)/.test(route) && !/^(HEAD|OPTIONS) /.test(route))
    .sort((a, b) => rank(a) - rank(b) || b.split('/').length - a.split('/').length || (a < b ? -1 : 1));
}

const ownerFor = (kind: CallerKind) => (kind === 'anonymous' || kind === 'other anonymous' ? 'anonymous' : 'user');
const whose = (kind: CallerKind): Belongings => {
  const owner = ownerFor(kind);
  const belongings = world.belongings.get(owner);
  if (!belongings) throw new Error(`The ${owner} has nothing.`);
  return belongings;
};

function pathFor(route: string, kind: CallerKind): string {
  const { build, vm, recipe } = whose(kind);
  const own: [RegExp, string][] = [
    [/^(\/api\/builds)\/:id/, build],
    [/^(\/api\/vms)\/:name/, vm],
    [/^(\/api\/recipes)\/:id/, recipe],
  ];
  const found = own.find(([pattern]) => pattern.test(route));
  const filled = found ? route.replace(found[0], `$1/${found[1]}`) : route;
  return filled.replace(/[{}]/g, '').replace(/[:*]\w+/g, malformed);
}

/** What an answer says of the right to ask: 401, 403, 404 for what is another's; any other answer is one to somebody who may. */
const verdict = (status: number, body: Json): string => {
  if (status === 401 || status === 403) return String(status);
  // What is missing within one's own thing (a snapshot, a file) is not a matter of rights.
  return status === 404 && !['vm_snapshot_not_found', 'artifact_not_found'].includes(body?.reason) ? '404' : 'yes';
};

interface Tool {
  name: string;
  fields: string[];
}

async function connect(kind: CallerKind): Promise<Client> {
  const { url, headers } = await world.approach(kind);
  const client = new Client({ name: kind, version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/api/mcp`), { requestInit: { headers } }));
  return client;
}

/** As somebody sees them whom nothing is hidden from; those that delete come last. */
async function allTools(): Promise<Tool[]> {
  const client = await connect('user');
  const { tools } = await client.listTools();
  await client.close();
  return tools
    .map(({ name, inputSchema }) => ({ name, fields: Object.keys(inputSchema.properties ?? {}) }))
    .sort(
      (a, b) => Number(a.name.startsWith('delete')) - Number(b.name.startsWith('delete')) || (a.name < b.name ? -1 : 1),
    );
}

async function toolVerdicts(kind: CallerKind, tools: Tool[]): Promise<string[]> {
  const client = await connect(kind).catch((error: unknown) => {
    expect(String(error)).toMatch(/Invalid API key|Sign in/);
  });
  if (!client) return tools.map(() => '401');
  const { build, vm, recipe } = whose(kind);
  const own: Record<string, unknown> = {
    build_id: build,
    vm_name: vm,
    recipe_id: recipe,
    actions: [{ type: 'move', x: 1, y: 1 }],
  };
  const listed = new Set((await client.listTools()).tools.map(({ name }) => name));
  const verdicts: string[] = [];
  for (const { name, fields } of tools) {
    const result: Json = await client
      .callTool({
        name,
        arguments: Object.fromEntries(Object.entries(own).filter(([field]) => fields.includes(field))),
      })
      .catch((error: Json) => ({ code: error.code }));
    expect({ name, isUnknown: result.code === 1001 }).toEqual({ name, isUnknown: !listed.has(name) });
    verdicts.push(
      result.code === 1001
        ? 'hidden'
        : String(result._meta?.error?.reason).endsWith('_not_found')
          ? 'not found'
          : 'yes',
    );
  }
  await client.close();
  return verdicts;
}

beforeEach(async () => {
  world = await AccessWorld.create();
}, 120_000);
afterEach(async () => {
  await world?.stop();
});

describe('who may do what', () => {
  it('at every route', async () => {
    for (const route of routes()) {
      const [method = '', where = ''] = route.split(' ');
      const cells: string[] = [];
      for (const kind of order) {
        // Two of the kinds may delete it.
        if (route === 'DELETE /api/recipes/:id') await world.renewRecipe(ownerFor(kind));
        const { status, body } = await world.ask(
          kind,
          method,
          pathFor(where, kind),
          method === 'GET' ? undefined : (bodies[route] ?? {}),
        );
        expect({ route, kind, isNoAnswer: status === 429 || (status >= 500 && status !== 503) }).toEqual({
          route,
          kind,
          isNoAnswer: false,
        });
        cells[callerKinds.indexOf(kind)] = verdict(status, body);
      }
      seen.routes.set(route, cells);
    }
    await compare('## Routes', table('route', seen.routes));
  }, 300_000);

  it('is told the same of what is another’s as of what does not exist', async () => {
    const { build, vm, recipe } = whose('user');
    for (const [where, id, nobodys] of [
      ['/api/builds/', build, randomUUID()],
      ['/api/vms/', vm, 'nobodys'],
      ['/api/recipes/', recipe, `${recipe.slice(0, -4)}0000`],
    ] as const) {
      const [anothers, none] = await Promise.all(
        [id, nobodys].map(async (asked) =>
          JSON.stringify(await world.ask('other user', 'GET', `${where}${asked}`))
            .replaceAll(asked, 'ID')
            .replace(/"request_id":"[^"]*"/, ''),
        ),
      );
      expect(anothers).toContain('"status":404');
      expect(anothers).toBe(none);
    }
  });

  it('with every tool', async () => {
    const tools = await allTools();
    for (const { name } of tools) seen.tools.set(name, []);
    for (const kind of order) {
      const verdicts = await toolVerdicts(kind, tools);
      tools.forEach(({ name }, index) => (seen.tools.get(name)![callerKinds.indexOf(kind)] = verdicts[index] ?? ''));
    }
    await compare('## Tools', table('tool', seen.tools));
  }, 300_000);
});

const bare = (name: string) => name.replace(/^\w+ /, '') + name;
const table = (what: string, rows: Map<string, string[]>): string =>
  [
    `| ${what} | ${callerKinds.join(' | ')} |`,
    `|---|${callerKinds.map(() => '---|').join('')}`,
    ...[...rows]
      .sort(([a], [b]) => (bare(a) < bare(b) ? -1 : 1))
      .map(([name, cells]) => `| \`${name}\` | ${cells.join(' | ')} |`),
  ].join('\n');

/** Below its heading, until the next one or the end of the page, stands the table. `UPDATE_DOCS=1` writes it there. */
async function compare(heading: string, found: string): Promise<void> {
  const page = await readFile(file, 'utf8');
  const start = page.indexOf(`${heading}\n`) + heading.length + 1;
  const end = [page.indexOf('\n## ', start), page.length].find((at) => at >= 0)!;
  if (process.env.UPDATE_DOCS) await writeFile(file, `${page.slice(0, start)}\n${found}\n${page.slice(end)}`);
  else expect(found.split('\n')).toEqual(page.slice(start, end).trim().split('\n'));
}
