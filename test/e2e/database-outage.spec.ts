import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { EmbeddedPostgres, EventBus, unprivilegedAccount } from '#libs/platform';
import { McpNotifier } from '#libs/mcp';
import { startTestApp, type TestApp } from '../support/app.js';
import { ProbeToolsModule } from '../support/probe-tools.module.js';
import { RawSseClient, send } from '../support/raw-client.js';

let dataDir: string;
let postgres: EmbeddedPostgres;
let app: TestApp;
beforeAll(async () => {
  dataDir = await mkdtemp('/tmp/openfactory-test-');
  await chmod(dataDir, 0o755);
  postgres = new EmbeddedPostgres({ dataDir, account: await unprivilegedAccount() });
  await postgres.start();
  app = await startTestApp({ extraModules: [ProbeToolsModule], environment: { DATABASE_URL: postgres.url() } });
});
afterAll(async () => {
  await app.stop();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const readiness = async () => (await send(`${app.url}/api/health/ready`)).status;
const until = async (condition: () => Promise<boolean> | boolean, withinMs = 20_000) => {
  for (const deadline = Date.now() + withinMs; !(await condition()); await sleep(50))
    if (Date.now() > deadline) throw new Error('It did not come.');
};

it('survives PostgreSQL being killed and coming back while clients are connected', async () => {
  const client = await RawSseClient.open(app.url);
  const gaps: string[] = [];
  app.app.get(EventBus).subscribe('spec.happened', { onEvent: () => undefined, onGap: () => gaps.push('gap') });
  expect(await readiness()).toBe(200);

  process.kill(postgres.pid!, 'SIGKILL');
  await until(async () => (await readiness()) === 503);
  expect(await send(`${app.url}/api/health/live`)).toMatchObject({ status: 200 });
  // What needs no database goes on; what needs it says so and promises nothing.
  expect(
    (await client.call('tools/call', { name: 'probe_echo', arguments: { text: 'a' } })).result.structuredContent.text,
  ).toBe('a');
  const { error } = await client.call('tools/call', { name: 'list_recipes' });
  expect(error).toMatchObject({ code: 1002, data: { request_id: expect.any(String) } });
  expect(JSON.stringify(error)).not.toMatch(/ECONN|socket|postgres:/);

  await postgres.start();
  await until(async () => (await readiness()) === 200);
  expect(gaps).toEqual(['gap']);
  await app.app.get(McpNotifier).listChanged('tools');
  await client.until(() => client.messages.some(({ method }) => method === 'notifications/tools/list_changed'));
  expect((await client.call('tools/call', { name: 'list_recipes' })).result.isError).toBeFalsy();
  client.close();
}, 60_000);
