import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataSource } from 'typeorm';
import {
  dataSourceOptions,
  EmbeddedPostgres,
  EventBus,
  loadSettings,
  migrate,
  unprivilegedAccount,
} from '#libs/platform';
import { featureOn, recipeEntities, type AvailableBase } from '#libs/recipes';
import { migrations } from '#migrations';
import { loadCatalogue } from '../../libs/recipes/src/catalogue/catalogue-loader.js';
import { planImage } from '../../libs/builds/src/pipeline/configure/plan-image.js';
import { postgresqlVersions } from '../../libs/builds/src/pipeline/configure/services/postgresql.renderer.js';
import { AptPackageSource } from '../../libs/recipes/src/packages/apt/apt-package-source.js';
import type { AptRoot } from '../../libs/recipes/src/packages/apt/apt-root.js';
import { PostgresPackageIndex } from '../../libs/recipes/src/packages/package-index.repository.js';
import { RecipeValidator } from '../../libs/recipes/src/validation/recipe-validator.js';

const minutes = 60_000;
const catalogue = loadCatalogue();
const bases = catalogue.availableBases;
const everywhere = <T>(things: readonly T[], nameOf: (thing: T) => string) =>
  bases.flatMap((base) => things.map((thing) => [nameOf(thing), base.id, thing, base] as const));

/** The real archives, fetched from this machine's own mirrors by apt and verified, in a real PostgreSQL. */
describe('the package index of the real archives', () => {
  let dataDir: string;
  let server: EmbeddedPostgres;
  let database: DataSource;
  let events: EventBus;
  let source: AptPackageSource;
  let index: PostgresPackageIndex;
  let validator: RecipeValidator;
  /** Finding mirrors takes apt a second; once for a base is enough. */
  const roots = new Map<string, AptRoot>();

  beforeAll(async () => {
    dataDir = await mkdtemp('/tmp/openfactory-live-index-');
    await chmod(dataDir, 0o755);
    server = new EmbeddedPostgres({
      dataDir,
      account: await unprivilegedAccount(),
      parameters: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' },
    });
    await server.start();
    await migrate(server.url(), migrations);
    database = await new DataSource({
      ...dataSourceOptions(server.url(), recipeEntities, []),
      poolSize: 4,
    }).initialize();
    events = new EventBus(server.url());
    await events.onModuleInit();
    source = new AptPackageSource(loadSettings(process.env, { dataDir }).settings);
    index = new PostgresPackageIndex(database, events);
    index.onModuleInit();
    validator = new RecipeValidator(catalogue, index);
  }, 2 * minutes);

  afterAll(async () => {
    await events?.onApplicationShutdown();
    await database?.destroy();
    await server?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, minutes);

  it.each(bases.map((base) => [base.id, base] as const))(
    'of %s is fetched and loaded without holding the process up',
    async (id, base) => {
      let turns = 0;
      const timer = setInterval(() => turns++, 5);
      await index.replace(id, await source.fetch(base));
      clearInterval(timer);
      const { loaded, packageCount, refreshedAt } = await index.state(id);
      expect(loaded).toBe(true);
      expect(packageCount).toBeGreaterThan(50_000);
      expect(Date.now() - (refreshedAt?.getTime() ?? 0)).toBeLessThan(2 * minutes);
      // Other requests had their turn all along: not a time, for machines differ, but far more turns than a load in one piece would leave.
      expect(turns).toBeGreaterThan(100);
    },
    5 * minutes,
  );

  it('keeps apt’s own files the unprivileged account’s, and its configuration ours', async () => {
    const root = path.join(dataDir, 'package-index/debian-bookworm');
    const account = await unprivilegedAccount();
    expect((await stat(path.join(root, 'var/lib/apt/lists'))).uid).toBe(account?.uid ?? process.getuid?.());
    expect((await stat(path.join(root, 'etc/apt/sources.list'))).mode & 0o007).toBe(0);
  });

  it.each(everywhere(catalogue.features, ({ id }) => id))(
    'has every package of the feature %s on %s',
    async (_id, base, feature) => {
      const { packages } = featureOn(feature, base);
      const { virtual, missing } = await index.lookup(base, packages);
      expect({ virtual, missing }).toEqual({ virtual: [], missing: [] });
    },
  );

  it.each(catalogue.templates.map((template) => [template.id, template] as const))(
    'can validate, resolve and plan the template %s on every base',
    async (_id, { recipe }) => {
      await Promise.all(bases.map((base) => installs(recipe, base)));
    },
    2 * minutes,
  );

  /** apt itself says whether the packages go together; it also tells whether our own closure is near the truth. */
  async function installs(recipe: Record<string, unknown>, base: AvailableBase): Promise<void> {
    const { validation, recipe: checked, resolution } = await validator.check({ ...recipe, base_image: base.id });
    const { valid, errors, warnings, resolved } = validation;
    expect({ valid, errors }).toEqual({ valid: true, errors: [] });
    expect(
      warnings
        .map(({ code }) => code)
        .filter((code) => !['no_login', 'feature_added', 'sudo_without_password'].includes(code)),
    ).toEqual([]);
    expect(planImage(checked!, resolution!, []).steps.length).toBeGreaterThan(10);
    expect(resolved?.estimated_size_bytes).toBeGreaterThan(100e6);
    const wanted = [kernelOf(base), ...base.archive.packages, ...(resolved?.packages ?? [])];
    const root = await (roots.get(base.id) ?? source.root(base));
    roots.set(base.id, root);
    const { stdout } = await root.run(
      'apt-get',
      ['install', '--print-uris', '--yes', '--no-install-recommends', ...wanted],
      { deadlineMs: minutes, outputCapBytes: 16 << 20 },
    );
    // 'URL' name_version_architecture.deb size hash
    const installed = [...stdout.matchAll(/^'[^']+' ([^_ ]+)_/gm)].flatMap(([, name]) => name ?? []);
    const closure = new Set((await index.closure(base.id, wanted)).names);
    expect(installed.length).toBeGreaterThan(50);
    expect(installed.filter((name) => !closure.has(name)).length).toBeLessThanOrEqual(installed.length * 0.03);
  }

  it.each(bases.map(({ id }) => [id] as const))(
    'has the version of PostgreSQL on %s that its settings are written for',
    async (id) => {
      expect((await index.closure(id, ['postgresql'])).names).toContain(`postgresql-${postgresqlVersions[id]}`);
    },
  );

  it.each(bases.map(({ id }) => [id] as const))(
    'knows what cannot be together on %s, and finds nothing of the kind in a base',
    async (id) => {
      const pairs = [
        ['exim4', 'postfix'],
        ['sendmail', 'exim4-daemon-heavy'],
        ['chrony', 'systemd-timesyncd'],
        ['chrony', 'ntpsec'],
      ] as const;
      for (const [one, other] of pairs)
        expect([one, other, (await index.conflicts(id, [one, other])).map(({ names }) => [...names].sort())]).toEqual([
          one,
          other,
          [[one, other].sort()],
        ]);
      expect(
        await index.conflicts(id, ['nginx', 'apache2', 'bind9', 'dnsmasq', 'postfix', 'mariadb-server', 'postgresql']),
      ).toEqual([]);
    },
  );

  it('knows virtual packages, versions and near names', async () => {
    expect((await index.lookup('debian-bookworm', ['mail-transport-agent'])).virtual).toEqual([
      { name: 'mail-transport-agent', providers: expect.arrayContaining(['courier-mta']) },
    ]);
    expect((await index.nearest('debian-bookworm', ['ngnix', 'postgres', 'pyton3'])).get('ngnix')).toContain('nginx');
    const { found } = await index.lookup('debian-bookworm', ['curl']);
    expect(found[0]?.versions).toContain(found[0]?.version);
  });

  it(
    'tells a mirror that is not there from a broken index, and how to mend it',
    async () => {
      const [base] = bases as [AvailableBase];
      const settings = loadSettings(
        {},
        { dataDir: path.join(dataDir, 'elsewhere'), debianMirror: 'http://user:hunter2@127.0.0.1:9/debian' },
      ).settings;
      const failure = await new AptPackageSource(settings).fetch(base).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        reason: 'package_index_unavailable',
        hint: expect.stringContaining('OPENFACTORY_DEBIAN_MIRROR'),
      });
      expect((failure as Error).message).not.toContain('hunter2');
    },
    2 * minutes,
  );
});

function kernelOf({ archive }: AvailableBase): string {
  return archive.kernels[process.arch === 'arm64' ? 'arm64' : 'amd64'].generic;
}
