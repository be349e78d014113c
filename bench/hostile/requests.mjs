// Attacks that hold nothing open: each is sent again as soon as it is answered, on as many connections as it says.
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, openSession, post, rpc } from './mcp-call.mjs';

/** Not the address of who is watched: they are two callers. */
export const from = '127.0.0.66';
const fields = (count) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, 0]));
/** More than are read at all, and nearly as many as are. */
const [unread, read] = [fields(99_000), fields(19_900)];
const recipe = (more) => ({ name: 'hostile', base_image: 'debian-bookworm', ...more });
const users = Array.from({ length: 100 }, (_, at) => ({ username: `user${at}`, password: `correct horse ${at}` }));
const farOff = Array.from({ length: 20 }, (_, at) => `${'zqxjkvbwy'.repeat(4)}${at}`);
const packages = Array.from({ length: 2_000 }, (_, at) => `lib${at.toString(36)}-perl`);

const again = (url, route, text, headers) => () => post(url, route, text, { from, headers });
/** The same body, or several, to one place after the other. */
const inTurn = (sends) => {
  let at = 0;
  return () => sends[at++ % sends.length]();
};

async function everyEndpoint(url) {
  const { paths } = JSON.parse((await ask(url, '/api/docs.json', { from })).text);
  const routes = Object.entries(paths).flatMap(([route, methods]) =>
    'post' in methods ? [route.replaceAll(/\{\w+\}/g, 'x')] : [],
  );
  const bodies = [unread, read, { recipe: read }].map((body) => JSON.stringify(body));
  return inTurn(routes.flatMap((route) => bodies.map((body) => again(url, route, body))));
}

async function everyTool(url) {
  const headers = await openSession(url, from);
  const { tools } = JSON.parse((await ask(url, '/api/mcp', { from, headers, text: rpc('tools/list') })).text).result;
  const bodies = tools.flatMap(({ name }) =>
    [read, { recipe: read }, { recipe: JSON.stringify(read) }].map((given) =>
      rpc('tools/call', { name, arguments: given }),
    ),
  );
  return inTurn(
    [rpc('tools/call', { name: 'validate_recipe', arguments: { recipe: unread } }), ...bodies].map((body) =>
      again(url, '/api/mcp', body, headers),
    ),
  );
}

const initialize = rpc('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: { other: 'x'.repeat(3 << 20) },
  clientInfo: { name: 'c', version: '1' },
});
const whole2Mb = JSON.stringify({ recipe: recipe({ description: 'x'.repeat(2_000_000) }) });

/** What to send, by the name of the attack; on four connections, where nothing else is said. */
export const requests = {
  'unknown fields to every endpoint': { make: everyEndpoint },
  'unknown fields to every tool': { make: everyTool },
  '20 far-off package names': {
    make: (url) => again(url, '/api/recipes/validate', JSON.stringify({ recipe: recipe({ packages: farOff }) })),
  },
  'validate with 2,000 packages': {
    make: (url) => again(url, '/api/recipes/validate', JSON.stringify({ recipe: recipe({ packages }) })),
  },
  '100 passwords to create_build': {
    make: (url) => again(url, '/api/builds', JSON.stringify({ recipe: recipe({ users }) })),
    undo: cancelBuilds,
  },
  'initialize of 3 MiB': { make: (url) => again(url, '/api/mcp', initialize), connections: 100 },
  'an array of a million': {
    make: (url) =>
      again(url, '/api/recipes/validate', JSON.stringify({ recipe: recipe({ packages: Array(480_000).fill('a') }) })),
  },
  '2 MB with a key that is not valid': {
    make: (url) => again(url, '/api/recipes/validate', whole2Mb, { authorization: 'Bearer of_mcp_nothing' }),
    connections: 16,
  },
};

/** What was let in would be built beside the attacks that follow. */
async function cancelBuilds(url) {
  const { builds } = JSON.parse((await ask(url, '/api/builds', { from })).text);
  for (const { build_id: id } of builds) await post(url, `/api/builds/${id}/cancel`, '{}', { from });
}

export async function repeat(url, { make, connections = 4, undo }, until) {
  const send = await make(url);
  const answers = {};
  const one = async () => {
    while (Date.now() < until) {
      const { status: answer } = await send();
      answers[answer] = (answers[answer] ?? 0) + 1;
      // A refused connection is answered at once; a loop without a pause would measure this thread.
      if (answer === 'cut') await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  await undo?.(url);
  return answers;
}
