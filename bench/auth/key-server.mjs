// A process of the factory: `key-server.mjs DATA_DIR DATABASE_URL SECRET`. Beside the usual questions it answers
//   cut       goes on without its LISTEN connection, so that it hears of revocations by its poll alone
//   keyCheck  microseconds of CPU for one warm check, in a loop, of the key in DATA_DIR/key
//   jwtCheck  the same for one HS256 verification by jsonwebtoken
import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import jwt from 'jsonwebtoken';
import { CallerService, EventBus, loadSettings } from '#libs/platform';
import { startFactory } from '../../dist/apps/cli/src/factory/start-factory.js';
import { benchToolsModule } from '../gateway/bench-tools.mjs';
import { serveSideChannel } from '../gateway/side-channel.mjs';
import { BenchPeopleModule } from './people.mjs';

const checks = 20_000;
const checksInARow = 200;
const [dataDir, databaseUrl, secret] = process.argv.slice(2);
const { settings } = loadSettings({
  OPENFACTORY_HOST: '127.0.0.1',
  OPENFACTORY_PORT: '0',
  OPENFACTORY_ROLES: 'api',
  OPENFACTORY_LOG_LEVEL: 'warn',
  OPENFACTORY_DATA_DIR: dataDir,
  DATABASE_URL: databaseUrl,
  OPENFACTORY_SECRET: secret,
  // What is measured is not what limits it.
  OPENFACTORY_CALLS_PER_MINUTE: '10000000',
  OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '10000000',
  OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: '10000000',
});
const { app, stop } = await startFactory(settings, { extraModules: [benchToolsModule(1), BenchPeopleModule] });

/** Microseconds of CPU of this process for one turn. */
async function cpuOf(turn) {
  await repeat(turn, checks / 4);
  const before = process.cpuUsage();
  await repeat(turn, checks);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / checks;
}

/** Lets others have their turn in between: the poll of revocations, without whose answers nothing remembered would count. */
async function repeat(turn, times) {
  for (let count = 0; count < times; count++) {
    await turn();
    if (count % checksInARow === 0) await setImmediate();
  }
}

/** The whole way of the credentials, as the gateway goes it for every message. */
async function keyCheck() {
  const authorization = `Bearer ${await readFile(path.join(dataDir, 'key'), 'utf8')}`;
  const callers = app.get(CallerService);
  const request = { headers: { authorization }, socket: { remoteAddress: '127.0.0.1' } };
  return await cpuOf(() => callers.resolve(request));
}

/** A token with the claims that access tokens usually have. */
async function jwtCheck() {
  const options = { algorithms: ['HS256'], issuer: 'bench', audience: 'bench' };
  const token = jwt.sign(
    { sub: '4f9d4c56-0f5e-4c7e-8f1f-3a5a6b0c1d2e', sid: '0c6f4a62-6f0e-4f83-9a38-0a1b2c3d4e5f', role: 'user' },
    secret,
    { algorithm: 'HS256', issuer: 'bench', audience: 'bench', expiresIn: 3_600 },
  );
  return await cpuOf(() => Promise.resolve(jwt.verify(token, secret, options)));
}

/** As where PostgreSQL ends the connection and lets no other one through. `stopping` is what the bus itself sets before it lets it go. */
async function cut() {
  const bus = app.get(EventBus);
  bus.stopping = true;
  await bus.client.end();
  return !bus.connected;
}

serveSideChannel(`${settings.publicUrl}/api/mcp/sse`, stop, { keyCheck, jwtCheck, cut });
