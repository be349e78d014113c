// How soon create_build answers: `npm run bench -- create-build`. docs/benchmarks.md says what is measured and why.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const goalMs = 200;
const starts = 3;
const calls = 6;
const absent = 'no-such-package-anywhere';
const indexWithinMs = 6 * 60_000;

const recipe = (name) => ({ name, base_image: 'debian-bookworm', features: ['ssh', 'docker', 'monitoring'], packages: ['vim', 'htop'], users: [{ username: 'ada', password: 'correct horse battery' }] });

/** A factory in a process of its own, as people start it; `use` gets a client that has called nothing yet. */
async function withFactory(dataDir, use) {
  const environment = { ...process.env, OPENFACTORY_PORT: '0', OPENFACTORY_DATA_DIR: dataDir, OPENFACTORY_LOG_LEVEL: 'warn' };
  const factory = spawn(process.execPath, [path.join(root, 'bin/openfactory'), 'up'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const url = await addressOf(factory);
    const client = new Client({ name: 'bench', version: '1' });
    await client.connect(new SSEClientTransport(new URL(`${url}/api/mcp/sse`)));
    const result = await use({ url, call: async (name, args) => await client.callTool({ name, arguments: args }) });
    await client.close();
    return result;
  } finally {
    factory.kill('SIGTERM');
    if (factory.exitCode === null) await once(factory, 'exit');
  }
}

async function addressOf(factory) {
  let said = '';
  for await (const chunk of factory.stdout) {
    said += chunk;
    const found = /MCP, HTTP\+SSE +(http:\/\/\S+)\/api\/mcp\/sse/.exec(said);
    if (!found) continue;
    factory.stdout.resume();
    return found[1];
  }
  throw new Error(`The factory ended: ${said}`);
}

/** Until the indices know that a package does not exist: from then on every package of a recipe is looked up, and none is being loaded beside the calls. */
async function untilIndexed({ url, call }) {
  const { base_images: images } = await (await fetch(`${url}/api/recipes/base-images`)).json();
  const isLoaded = async ({ id }) => (await call('validate_recipe', { recipe: { name: 'probe', base_image: id, packages: [absent] } })).structuredContent.valid === false;
  for (const deadline = Date.now() + indexWithinMs; Date.now() < deadline; await sleep(2_000)) {
    if ((await Promise.all(images.map(isLoaded))).every(Boolean)) return;
  }
  throw new Error('The package indices did not come.');
}

async function timed({ url, call }) {
  // What the factory does by itself after its start is not what is measured.
  await sleep(5_000);
  const times = [];
  for (let count = 0; count < calls; count++) {
    const begun = performance.now();
    const { structuredContent, isError, content } = await call('create_build', { recipe: recipe(`bench-${count}`) });
    times.push(performance.now() - begun);
    if (isError) throw new Error(content[0].text);
    await fetch(`${url}/api/builds/${structuredContent.build_id}/cancel`, { method: 'POST' });
  }
  return times;
}

const dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-bench-create-'));
await chmod(dataDir, 0o755);
try {
  console.log(`Node ${process.version}, ${os.cpus().length} cores, ${os.cpus()[0].model}`);
  console.log('Fetching the package index …');
  await withFactory(dataDir, untilIndexed);
  const rows = [];
  for (let start = 0; start < starts; start++) rows.push(await withFactory(dataDir, timed));
  console.table(rows.map(([first, ...later]) => ({ 'first call of the process, ms': Math.round(first), 'slowest of the others, ms': Math.round(Math.max(...later)) })));
  const slowest = Math.max(...rows.flat());
  console.log(`create_build answers within ${goalMs} ms: slowest of ${starts * calls} ${Math.round(slowest)} ms: ${slowest <= goalMs ? 'met' : 'MISSED'}`);
  console.log(`load average of the machine, this run included: ${os.loadavg().map((load) => load.toFixed(1)).join(', ')}`);
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
