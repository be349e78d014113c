// The MCP gateway against the SDK's own server, both over HTTP+SSE, in one run: `npm run bench -- gateway`.
// docs/benchmarks.md says what is compared and why; the figures there come from here.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { calledTool, callArguments, expectedResult } from './gateway/bench-tools.mjs';
import { compare, idleMemory, median, openSessions } from './gateway/measure.mjs';
import { startServer } from './gateway/side-channel.mjs';

const toolCount = 40;
const idleSessions = 1_000;
/** By method, to each peer in the order of their names. */
const goals = { 'tools/call': [1, 1.2], 'tools/list': [0.2, 0.2], heapKb: 40 };
const operations = {
  'tools/call': {
    operation: { method: 'tools/call', params: { name: calledTool, arguments: callArguments } },
    warmUp: 6_000,
    calls: 2_000,
    rounds: 15,
  },
  'tools/list': { operation: { method: 'tools/list' }, warmUp: 300, calls: 150, rounds: 7 },
};
const names = ['OpenFactory', 'SDK + Express', 'SDK + node:http'];

async function askOnce(url, ...call) {
  const [session] = await openSessions(url, 1);
  const answer = JSON.parse(await session.call(...call));
  session.close();
  if (answer.error) throw new Error(`${url}: ${JSON.stringify(answer.error)}`);
  return answer.result;
}

const listOf = async (server) => (await askOnce(server.url, 'tools/list')).tools;

/** How many tools the product itself has; the rest is padding. At least one is ours to call. */
async function countProductTools(dataDir) {
  const server = await startServer('factory-server.mjs', [dataDir, '0']);
  try {
    return (await listOf(server)).length;
  } finally {
    await server.stop();
  }
}

/** A comparison of unlike things would say nothing. */
async function checkEquality(servers) {
  const [own, ...peers] = await Promise.all(servers.map(listOf));
  const shape = (tools) =>
    tools.map(({ name, description, inputSchema, outputSchema }) => [
      name,
      description,
      ...[inputSchema, outputSchema].map((schema) => Object.keys(schema?.properties ?? {}).length),
    ]);
  for (const tools of peers) assert.deepEqual(shape(tools), shape(own));
  for (const { url } of servers)
    assert.deepEqual(
      (await askOnce(url, 'tools/call', operations['tools/call'].operation.params)).structuredContent,
      expectedResult,
    );
}

async function measure(servers) {
  const memory = [];
  for (const server of servers) memory.push(await idleMemory(server, idleSessions));
  const loads = [];
  for (const [name, settings] of Object.entries(operations)) {
    for (const sessions of [1, 10])
      loads.push({ name, sessions, results: await compare(servers, { ...settings, sessions }) });
  }
  return { memory, loads };
}

const plural = (sessions) => `${sessions} session${sessions > 1 ? 's' : ''}`;
const fixed = (value, digits) => value.toFixed(digits);

function printTables({ memory, loads }) {
  for (const { name, sessions, results } of loads) {
    console.log(`\n${name}, ${plural(sessions)}`);
    console.table(
      Object.fromEntries(
        results.map((rounds, index) => {
          const of = (key, digits) => Number(fixed(median(rounds.map((round) => round[key])), digits));
          return [
            names[index],
            {
              'server CPU ms/call': of('cpuPerCall', 4),
              'p50 ms': of('p50', 3),
              'p99 ms': of('p99', 3),
              'calls/s': of('callsPerSecond', 0),
            },
          ];
        }),
      ),
    );
  }
  console.log(`\nmemory per idle session, ${idleSessions} sessions, KB`);
  console.table(
    Object.fromEntries(
      memory.map(({ heapKb, rssKb, leftKb }, index) => [
        names[index],
        {
          heap: Number(fixed(heapKb, 1)),
          resident: Number(fixed(rssKb, 1)),
          'heap left after closing': Number(fixed(leftKb, 1)),
        },
      ]),
    ),
  );
}

/** The median of the rounds' ratios: a round's servers ran within seconds of each other. */
function cpuRatio({ results }, peer) {
  const ratios = results[0].map(({ cpuPerCall }, round) => cpuPerCall / results[peer][round].cpuPerCall);
  return { ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

const verdict = (isMet) => (isMet ? 'met' : 'MISSED');

function printRatios({ memory, loads }) {
  console.log('');
  for (const measured of loads) {
    const { name, sessions } = measured;
    for (const peer of [1, 2]) {
      const { ratio, low, high } = cpuRatio(measured, peer);
      const goal = goals[name][peer - 1];
      console.log(
        `ratio ${name} CPU, ${plural(sessions)}, to ${names[peer]}: ${fixed(ratio, 2)} (rounds ${fixed(low, 2)} to ${fixed(high, 2)}; goal <= ${goal}: ${verdict(ratio <= goal)})`,
      );
    }
  }
  const [own, peer] = memory;
  console.log(
    `heap per idle session: ${fixed(own.heapKb, 1)} KB (goal <= ${goals.heapKb}: ${verdict(own.heapKb <= goals.heapKb)}); ratio to ${names[1]}: ${fixed(own.heapKb / peer.heapKb, 2)}`,
  );
}

const scratch = await mkdtemp(path.join(os.tmpdir(), 'openfactory-bench-'));
// PostgreSQL runs under an account of its own and has to pass through.
await chmod(scratch, 0o755);
const servers = [];
const cleanUp = async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(scratch, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().finally(() => process.exit(1)));
try {
  const dataDir = path.join(scratch, 'data');
  const productTools = await countProductTools(dataDir);
  const padding = Math.max(1, toolCount - productTools);
  console.log(
    `Node ${process.version}, ${os.availableParallelism()} cores, ${os.cpus()[0]?.model}; ${productTools} product tools + ${padding} of the benchmark`,
  );
  servers.push(await startServer('factory-server.mjs', [dataDir, String(padding)]));
  const catalogue = path.join(scratch, 'catalogue.json');
  await writeFile(catalogue, JSON.stringify(await listOf(servers[0])));
  for (const kind of ['express', 'http']) servers.push(await startServer('peer-server.mjs', [kind, catalogue]));
  await checkEquality(servers);
  const figures = await measure(servers);
  printTables(figures);
  printRatios(figures);
  console.log(
    `load average of the machine, this run included: ${os
      .loadavg()
      .map((load) => fixed(load, 1))
      .join(', ')}`,
  );
} finally {
  await cleanUp();
}
