import { SseSession } from './sse-session.mjs';

export const median = (values) => percentile(values, 50);

export function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
}

export async function openSessions(url, count, headers = {}) {
  const sessions = [];
  // Fifty at a time: a thousand connections at once overflow the listen queue.
  while (sessions.length < count) {
    const batch = await Promise.all(
      Array.from({ length: Math.min(50, count - sessions.length) }, () => SseSession.open(url, headers)),
    );
    await Promise.all(batch.map((session) => session.initialise()));
    sessions.push(...batch);
  }
  return sessions;
}

/** A closed loop, one call outstanding per session. */
export async function load(server, sessions, calls, { method, params }) {
  const latencies = [];
  const each = Math.ceil(calls / sessions.length);
  const cpuBefore = await server.cpuMs();
  const began = performance.now();
  await Promise.all(
    sessions.map(async (session) => {
      for (let call = 0; call < each; call++) {
        const sent = performance.now();
        await session.call(method, params);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const cpuMs = (await server.cpuMs()) - cpuBefore;
  return {
    cpuPerCall: cpuMs / latencies.length,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
    callsPerSecond: latencies.length / seconds,
  };
}

/** Rounds that go through all servers in turn, so that other work on the machine meets them alike. A server may say by what `headers` it is spoken to. */
export async function compare(servers, { operation, sessions: count, warmUp, calls, rounds }) {
  const open = [];
  for (const server of servers) open.push(await openSessions(server.url, count, server.headers));
  const results = servers.map(() => []);
  for (const [index, server] of servers.entries()) await load(server, open[index], warmUp, operation);
  for (let round = 0; round < rounds; round++) {
    for (const [index, server] of servers.entries())
      results[index].push(await load(server, open[index], calls, operation));
  }
  for (const session of open.flat()) session.close();
  return results;
}

/** Heap and resident memory per idle session, in KB; sessions that others opened and closed before do not count. */
export async function idleMemory(server, count) {
  await openAndClose(server, Math.ceil(count / 5));
  const before = await server.memory();
  const sessions = await openSessions(server.url, count);
  for (const session of sessions) session.idle();
  const during = await settled(server);
  // A session that the server had dropped would cost nothing, and falsify the figure.
  for (const session of sessions) await session.call('ping');
  for (const session of sessions) session.close();
  const after = await settled(server);
  const perSession = (memory, kind) => (memory[kind] - before[kind]) / count / 1024;
  return {
    heapKb: perSession(during, 'heapUsed'),
    rssKb: perSession(during, 'rss'),
    leftKb: perSession(after, 'heapUsed'),
  };
}

async function openAndClose(server, count) {
  for (const session of await openSessions(server.url, count)) session.close();
  await settled(server);
}

/** Once closed connections have been noticed. */
async function settled(server) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return await server.memory();
}
