import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestApp, type TestApp } from './app.js';
import { FakeBuildPipeline } from './fake-build-pipeline.js';
import { FakeMachines } from './fake-machines.js';

type Json = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory, looked into freely

/** Who may knock. The objects in the path of a request are the anonymous caller's for both anonymous ones, and the user's for everybody else. */
export const callerKinds = [
  'none',
  'anonymous',
  'other anonymous',
  'user',
  'other user',
  'read-only key',
  'limited key',
  'expired key',
  'revoked key',
  'admin',
] as const;
export type CallerKind = (typeof callerKinds)[number];

/** What one owner has: by the name that stands for it in the path of a route, and in the arguments of a tool. */
export interface Belongings {
  build: string;
  vm: string;
  recipe: string;
}

const password = 'correct horse battery';
/** From somewhere else each time, so that no limit of an address is met. */
const from = () => ({ 'X-Forwarded-For': `198.18.${randomInt(256)}.${randomInt(256)}` });

/** A factory with somebody of every kind in it, and a second one on the same database that turns anonymous callers away. */
export class AccessWorld {
  readonly belongings = new Map<'anonymous' | 'user', Belongings>();
  readonly #keys = new Map<CallerKind, string>();
  readonly #accounts = new Map<CallerKind, string>();

  private constructor(
    readonly app: TestApp,
    private readonly strict: TestApp,
    private readonly pipeline: FakeBuildPipeline,
    private readonly dataDir: string,
  ) {}

  static async create(): Promise<AccessWorld> {
    const pipeline = new FakeBuildPipeline();
    const machines = await FakeMachines.create();
    const dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-access-'));
    const environment = {
      OPENFACTORY_SECRET: 'the same secret in both of the two processes',
      OPENFACTORY_TRUST_PROXY: 'loopback',
      OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      OPENFACTORY_VM_MIN_FREE_DISK_GB: '0',
      OPENFACTORY_ADMIN_EMAIL: 'admin@example.org',
      OPENFACTORY_ADMIN_PASSWORD: password,
      OPENFACTORY_SIGN_UP: 'open',
    };
    const app = await startTestApp({
      pipelineModule: pipeline.module,
      hypervisorModule: machines.module,
      environment: { ...environment, OPENFACTORY_ROLES: 'api,worker', OPENFACTORY_DATA_DIR: dataDir },
    });
    const strict = await startTestApp({
      pipelineModule: pipeline.module,
      hypervisorModule: machines.module,
      environment: { ...environment, OPENFACTORY_ANONYMOUS: 'off' },
      database: app.database,
    });
    const world = new AccessWorld(app, strict, pipeline, dataDir);
    await world.#settle();
    return world;
  }

  async stop(): Promise<void> {
    await this.strict.stop();
    await this.app.stop();
    await this.pipeline.dispose();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** Where this kind of caller knocks, and with what. People get an access token of a session of its own each time, so that ending one ends no other. */
  async approach(kind: CallerKind): Promise<{ url: string; headers: Record<string, string> }> {
    const { url } = this.app;
    switch (kind) {
      case 'none':
        return { url: this.strict.url, headers: {} };
      case 'anonymous':
        return { url, headers: { 'X-Forwarded-For': '203.0.113.1' } };
      case 'other anonymous':
        return { url, headers: { 'X-Forwarded-For': '203.0.113.2' } };
      case 'user':
      case 'other user':
      case 'admin':
        return { url, headers: { ...from(), Authorization: `Bearer ${await this.#tokenOf(kind)}` } };
      default:
        return { url, headers: { ...from(), Authorization: `Bearer ${this.#keys.get(kind)}` } };
    }
  }

  async ask(kind: CallerKind, method: string, route: string, body?: unknown): Promise<{ status: number; body: Json }> {
    const { url, headers } = await this.approach(kind);
    const ending = new AbortController();
    const answer = await fetch(`${url}${route}`, {
      method,
      signal: ending.signal,
      headers: {
        'X-Requested-With': 'openfactory',
        ...headers,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const isJson = /^application\/(problem\+)?json\b/.test(answer.headers.get('content-type') ?? '');
    const said: Json = isJson ? await answer.json() : undefined;
    // An event stream never ends by itself.
    if (!isJson) ending.abort();
    return { status: answer.status, body: said };
  }

  async renewRecipe(owner: 'anonymous' | 'user'): Promise<void> {
    const belongings = this.belongings.get(owner);
    if (belongings) belongings.recipe = await this.#makeRecipe(owner);
  }

  async #makeRecipe(owner: 'anonymous' | 'user'): Promise<string> {
    const template = (await this.#must(owner, 'GET', '/api/recipes')).recipes[0].id as string;
    return String(
      (
        await this.#must(owner, 'POST', '/api/recipes/from-template', {
          template_id: template,
          name: `mine-${randomInt(1e9)}`,
        })
      ).recipe_id,
    );
  }

  async #settle(): Promise<void> {
    this.#accounts.set('admin', 'admin@example.org');
    for (const kind of ['user', 'other user'] as const) {
      const email = `${kind.replace(' ', '.')}@example.org`;
      await this.#must('anonymous', 'POST', '/api/auth/sign-up', { email, password });
      this.#accounts.set(kind, email);
    }
    const key = async (kind: CallerKind, more: object = {}) => {
      const made = await this.#must('user', 'POST', '/api/mcp-keys', { name: kind, ...more });
      this.#keys.set(kind, made.key as string);
      return made.id as string;
    };
    await key('read-only key', { read_only: true });
    await key('limited key', { toolsets: ['recipes'] });
    const expired = await key('expired key', { expires_in_days: 1 });
    await this.app.database.query("UPDATE mcp_key SET expires_at = now() - interval '1 minute' WHERE id = $1", [
      expired,
    ]);
    await this.#must('user', 'DELETE', `/api/mcp-keys/${await key('revoked key')}`);
    for (const owner of ['anonymous', 'user'] as const) this.belongings.set(owner, await this.#furnish(owner));
  }

  async #furnish(owner: 'anonymous' | 'user'): Promise<Belongings> {
    const recipe = { name: 'mine', base_image: 'debian-bookworm', users: [{ username: 'ada', password }] };
    const { build_id } = await this.#must(owner, 'POST', '/api/builds', { recipe });
    while ((await this.#must(owner, 'GET', `/api/builds/${build_id}/status`)).status !== 'completed') await sleep(20);
    await this.#must(owner, 'POST', '/api/vms', { build_id, name: 'mine' });
    return { build: String(build_id), vm: 'mine', recipe: await this.#makeRecipe(owner) };
  }

  async #must(kind: CallerKind, method: string, route: string, body?: unknown): Promise<Json> {
    const { status, body: said } = await this.ask(kind, method, route, body);
    if (status >= 300) throw new Error(`${kind} ${method} ${route}: ${status} ${JSON.stringify(said)}`);
    return said;
  }

  async #tokenOf(kind: CallerKind): Promise<string> {
    const answer = await fetch(`${this.app.url}/api/auth/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...from() },
      body: JSON.stringify({ email: this.#accounts.get(kind), password }),
    });
    const { token } = (await answer.json()) as Json;
    if (!token) throw new Error(`${kind} cannot sign in: ${answer.status}`);
    return token as string;
  }
}
