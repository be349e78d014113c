import { createServer } from 'node:net';
import type { Settings } from '#libs/platform';
import { fail, ok, type Check } from './check.js';

export async function probePort({ host, port }: Settings): Promise<Check[]> {
  const place = `${host}:${port}`;
  if (port === 0) return [ok('port', 'a free one is taken at the start')];
  const problem = await tryToListen(host, port);
  if (problem === undefined) return [ok('port', `${place} is free`)];
  if (problem === 'EADDRINUSE') {
    if (await isFactory(host, port)) return [ok('port', `a running OpenFactory listens on ${place}`)];
    return [
      fail('port', `another program listens on ${place}`, 'Stop it, or choose another port with OPENFACTORY_PORT.'),
    ];
  }
  if (problem === 'EACCES')
    return [
      fail(
        'port',
        `this account may not listen on ${place}`,
        'Choose a port from 1024 with OPENFACTORY_PORT, behind a proxy if need be.',
      ),
    ];
  return [
    fail('port', `cannot listen on ${place} (${problem})`, 'Set OPENFACTORY_HOST to an address of this machine.'),
  ];
}

function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Ready or not, only a factory reports on its queue and its events there. */
async function isFactory(host: string, port: number): Promise<boolean> {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}/api/health/ready`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3_000), redirect: 'error' });
    const { details } = (await answer.json()) as { details?: Record<string, unknown> };
    return details !== undefined && 'queue' in details && 'events' in details;
  } catch {
    return false;
  }
}
