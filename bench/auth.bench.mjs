// What API keys cost, and how soon a revoked one is out: `npm run bench -- auth`. docs/benchmarks.md says what is compared and why.
// `--sessions N` (1000) says how many sessions are open while their keys are revoked.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgres, unprivilegedAccount } from '../dist/libs/platform/src/index.js';
import { ask, closeConnections, makeKeys } from './auth/keys.mjs';
import { callArguments, calledTool } from './gateway/bench-tools.mjs';
import { compare, median, openSessions, percentile } from './gateway/measure.mjs';
import { startServer } from './gateway/side-channel.mjs';

const goals = { cpuMs: 0.15, closedMs: 1_000 };
const sessions = Number(process.argv[process.argv.indexOf('--sessions') + 1]) || 1_000;
const rounds = 15;
const toolCalls = {
  operation: { method: 'tools/call', params: { name: calledTool, arguments: callArguments } },
  warmUp: 6_000,
  calls: 2_000,
  rounds,
};
const closedWithinMs = 60_000;

/** The same calls with a key and without, by turns, on one server: what is more is the key's. */
async function measureCalls(server, { headers }) {
  const results = [];
  for (const count of [1, 10]) {
    const [withKey, anonymous] = await compare([{ ...server, headers }, server], { ...toolCalls, sessions: count });
    const more = withKey.map(({ cpuPerCall }, round) => cpuPerCall - anonymous[round].cpuPerCall);
    results.push({
      count,
      withKey: median(withKey.map(({ cpuPerCall }) => cpuPerCall)),
      anonymous: median(anonymous.map(({ cpuPerCall }) => cpuPerCall)),
      more: median(more),
      low: Math.min(...more),
      high: Math.max(...more),
    });
  }
  return results;
}

/** The check alone in a loop, beside the peer in a loop, by turns in one process. */
async function measureChecks(server) {
  const [ours, peer] = [[], []];
  for (let round = 0; round < rounds; round++) {
    ours.push(await server.ask('keyCheck'));
    peer.push(await server.ask('jwtCheck'));
  }
  const ratios = ours.map((each, round) => each / peer[round]);
  return {
    ours: median(ours),
    peer: median(peer),
    ratio: median(ratios),
    low: Math.min(...ratios),
    high: Math.max(...ratios),
  };
}

/** One session for each key on `there`; the keys are revoked one after the other on `here`. */
async function measureRevocations({ here, there, databaseUrl }) {
  const keys = await makeKeys({ databaseUrl, url: here.url }, sessions);
  const open = [];
  for (const { headers } of keys) open.push(...(await openSessions(there.url, 1, headers)));
  for (const session of open) session.idle();
  const [sent, answered] = [[], []];
  for (const { id, owner } of keys) {
    sent.push(performance.now());
    await ask(new URL(`/api/mcp-keys/${id}`, here.url), { method: 'DELETE', headers: owner });
    answered.push(performance.now());
  }
  for (
    const deadline = performance.now() + closedWithinMs;
    open.some(({ closedAt }) => closedAt === undefined);
    await sleep(50)
  ) {
    if (performance.now() > deadline)
      throw new Error(
        `${open.filter(({ closedAt }) => closedAt === undefined).length} streams of revoked keys are still open.`,
      );
  }
  const after = (begun) => open.map(({ closedAt }, index) => Math.max(0, closedAt - begun[index]));
  const row = (times) => ({
    'p50 ms': rounded(percentile(times, 50), 1),
    'p99 ms': rounded(percentile(times, 99), 1),
    'max ms': rounded(Math.max(...times), 1),
  });
  return { fromSent: row(after(sent)), fromAnswer: row(after(answered)) };
}

const rounded = (value, digits) => Number(value.toFixed(digits));
const verdict = (isMet) => (isMet ? 'met' : 'MISSED');

function printCalls(calls, checks) {
  console.log('\ntools/call, server CPU ms/call');
  console.table(
    Object.fromEntries(
      calls.map(({ count, withKey, anonymous, more }) => [
        `${count} session${count > 1 ? 's' : ''}`,
        { 'with a key': rounded(withKey, 4), anonymous: rounded(anonymous, 4), 'the key’s': rounded(more, 4) },
      ]),
    ),
  );
  for (const { count, more, low, high } of calls) {
    console.log(
      `warm key check, CPU per call, ${count} session${count > 1 ? 's' : ''}: ${more.toFixed(3)} ms (rounds ${low.toFixed(3)} to ${high.toFixed(3)}; goal <= ${goals.cpuMs}: ${verdict(more <= goals.cpuMs)})`,
    );
  }
  console.log(
    `in a loop: key check ${checks.ours.toFixed(1)} µs, jsonwebtoken.verify (HS256) ${checks.peer.toFixed(1)} µs; ratio ${checks.ratio.toFixed(2)} (rounds ${checks.low.toFixed(2)} to ${checks.high.toFixed(2)})`,
  );
}

function printRevocations(figures) {
  for (const [how, { fromSent, fromAnswer }] of Object.entries(figures)) {
    console.log(`\nrevoked to stream closed in another process, ${sessions} sessions, ${how}`);
    console.table({ 'from the request': fromSent, 'from its answer': fromAnswer });
    console.log(`goal p99 <= ${goals.closedMs} ms, from the request: ${verdict(fromSent['p99 ms'] <= goals.closedMs)}`);
  }
}

process.umask(0o022);
const scratch = await mkdtemp(path.join(os.tmpdir(), 'openfactory-bench-'));
// PostgreSQL runs under an account of its own and has to pass through.
await chmod(scratch, 0o755);
const undo = [() => rm(scratch, { recursive: true, force: true })];
const cleanUp = async () => {
  for (const step of undo.splice(0).reverse()) await step();
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().finally(() => process.exit(1)));
try {
  console.log(`Node ${process.version}, ${os.availableParallelism()} cores, ${os.cpus()[0]?.model}`);
  const postgres = new EmbeddedPostgres({ dataDir: scratch, account: await unprivilegedAccount() });
  undo.push(() => postgres.stop());
  await postgres.start();
  const databaseUrl = postgres.url();
  const start = async (name) => {
    const dataDir = path.join(scratch, name);
    await mkdir(dataDir);
    const server = await startServer('../auth/key-server.mjs', [
      dataDir,
      databaseUrl,
      'a secret of the benchmark, long enough',
    ]);
    undo.push(() => server.stop());
    return { ...server, dataDir };
  };
  const [here, there] = [await start('here'), await start('there')];
  undo.push(closeConnections);
  const [key] = await makeKeys({ databaseUrl, url: here.url }, 1);
  await writeFile(path.join(there.dataDir, 'key'), key.key);
  console.log('Calling …');
  const calls = await measureCalls(there, key);
  const checks = await measureChecks(there);
  console.log('Revoking …');
  const listening = await measureRevocations({ here, there, databaseUrl });
  if (!(await there.ask('cut'))) throw new Error('The LISTEN connection is still there.');
  const deaf = await measureRevocations({ here, there, databaseUrl });
  printCalls(calls, checks);
  printRevocations({ 'told by NOTIFY': listening, 'its LISTEN connection cut: by the poll alone': deaf });
  console.log(
    `load average of the machine, this run included: ${os
      .loadavg()
      .map((load) => load.toFixed(1))
      .join(', ')}`,
  );
} finally {
  await cleanUp();
}
