import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  anonymousCaller,
  loadSettings,
  parseInput,
  PlatformModule,
  schemaOf,
  setUpHttp,
  type Caller,
  type DtoClass,
} from '#libs/platform';
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.js';
import { PackageIndex } from './packages/package-index.port.js';
import { PostgresPackageIndex } from './packages/package-index.repository.js';
import { PackageSource } from './packages/package-source.port.js';
import { RecipeReader } from './recipe.reader.js';
import { RecipeService } from './recipe.service.js';
import { mostRecipesPerCaller } from './recipe.repository.js';
import {
  CreatedRecipe,
  CreateRecipeInput,
  GetRecipeInput,
  RecipeCategoryList,
  RecipeDetails,
  RecipeList,
  RecipeValidationOutput,
  ValidateRecipeInput,
  type ListRecipesInput,
} from './recipes.dto.js';
import { RecipesModule } from './recipes.module.js';
import { RecipesTools } from './recipes.tools.js';
import { recipeEntities } from './index.js';
import { catalogue, everyPackage, validRecipe } from './testing/recipe.factory.js';

let database: TestDatabase;
let app: NestExpressApplication;
let url: string;
const ada = anonymousCaller('192.0.2.1');
const bob = anonymousCaller('192.0.2.2');
const service = () => app.get(RecipeService);
const create = (caller: Caller, name: string, more: Record<string, unknown> = {}) =>
  service().createFromTemplate(caller, parseInput(CreateRecipeInput, { template_id: 'debian-server', name, ...more }));
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const misfit = (dto: DtoClass, value: unknown) => {
  const fits = ajv.compile(schemaOf(dto));
  fits(JSON.parse(JSON.stringify(value)));
  return fits.errors ?? [];
};

beforeAll(async () => {
  database = await cloneDatabase();
  const { settings } = loadSettings({
    OPENFACTORY_PORT: '0',
    OPENFACTORY_LOG_LEVEL: 'silent',
    OPENFACTORY_DATA_DIR: '/tmp/openfactory-test-data',
    DATABASE_URL: database.url,
    OPENFACTORY_SECRET: 'x'.repeat(32),
  });
  const source: PackageSource = { fetch: () => Promise.resolve({ architecture: 'amd64', packages: everyPackage() }) };
  const module = await Test.createTestingModule({
    imports: [
      PlatformModule.forRoot({ settings, databaseUrl: database.url, secret: 'x'.repeat(32), entities: recipeEntities }),
      RecipesModule,
    ],
  })
    .overrideProvider(PackageSource)
    .useValue(source)
    .compile();
  app = module.createNestApplication<NestExpressApplication>({ bodyParser: false, logger: false });
  setUpHttp(app, settings, []);
  await app.listen(0, '127.0.0.1');
  settings.boundTo((app.getHttpServer().address() as AddressInfo).port);
  url = `${settings.publicUrl}/api/recipes`;
  for (const { id } of catalogue.availableBases)
    await app.get(PostgresPackageIndex).replace(id, await source.fetch(catalogue.availableBases[0]!));
}, 60_000);

afterAll(async () => {
  await app?.close();
  await database?.drop();
});

describe('RecipeService', () => {
  it('makes a recipe from a template, hashed, whole and the caller’s own', async () => {
    const created = await create(ada, 'mine', {
      modifications: {
        add_users: [{ username: 'ada', password: 'hunter2', sudo: true }],
        add_packages: ['jq'],
        hardeningLevel: 'minimal',
      },
    });
    expect(created).toMatchObject({
      recipe_id: expect.stringMatching(/^rcp-[0-9a-f-]{36}$/),
      name: 'mine',
      template_id: 'debian-server',
      validation: { valid: true, errors: [] },
    });
    expect(created.recipe).toMatchObject({
      name: 'mine',
      packages: ['jq'],
      security: { hardening_level: 'minimal' },
      system: { timezone: 'UTC' },
    });
    expect(created.recipe.users).toContainEqual(
      expect.objectContaining({ username: 'ada', password_hash: expect.stringMatching(/^\$y\$j9T\$/) }),
    );
    const everything = JSON.stringify([
      created,
      await service().get(ada, created.recipe_id),
      await database.query('SELECT * FROM recipe'),
    ]);
    expect(everything).not.toContain('hunter2');
    expect(everything).not.toMatch(/"password":/);
    expect((await app.get(RecipeReader).get(ada, created.recipe_id)).document).toEqual(created.recipe);
  });

  it('starts from a recipe of the caller’s own too, and what it stored is a valid recipe', async () => {
    const first = await create(ada, 'first');
    const second = await create(ada, 'second', { template_id: first.recipe_id });
    expect(second.template_id).toBe(first.recipe_id);
    expect((await service().validate(second.recipe)).errors).toEqual([]);
  });

  it('refuses a result that is not valid, telling every error, and stores nothing', async () => {
    const before = (await service().list(ada, {})).length;
    const refusal = create(ada, 'broken', {
      modifications: {
        add_packages: ['no-such-package'],
        remove_features: ['nginx'],
        add_packges: [],
        users: [{ username: 'X' }],
        name: 'other',
      },
    });
    await expect(refusal).rejects.toMatchObject({
      kind: 'invalid',
      reason: 'invalid_recipe',
      violations: expect.any(Array),
    });
    const { violations } = (await refusal.catch((error: unknown) => error)) as {
      violations: { path: string; suggestion?: string }[];
    };
    expect(violations.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        '/modifications/add_packges',
        '/modifications/name',
        '/modifications/remove_features/0',
        '/recipe/packages/0',
        '/recipe/users/0/username',
      ]),
    );
    expect(violations.find(({ path }) => path === '/modifications/add_packges')?.suggestion).toBe('add_packages');
    expect((await service().list(ada, {})).length).toBe(before);
  });

  it('takes a name once for each caller', async () => {
    await create(ada, 'taken');
    await expect(create(ada, 'taken')).rejects.toMatchObject({ kind: 'conflict', reason: 'recipe_name_taken' });
    await expect(create(bob, 'taken')).resolves.toMatchObject({ name: 'taken' });
  });

  it('creates once for one idempotency key', async () => {
    const [one, two] = await Promise.all([
      create(ada, 'once', { idempotency_key: 'k1' }),
      create(ada, 'once', { idempotency_key: 'k1' }),
    ]);
    expect(two).toEqual(one);
    await expect(create(ada, 'once-more', { idempotency_key: 'k1' })).rejects.toMatchObject({
      reason: 'idempotency_key_reused',
    });
  });

  it('shows, gives and deletes a caller’s own recipes only', async () => {
    const { recipe_id: id } = await create(ada, 'private');
    const absent = await service()
      .get(bob, 'rcp-00000000-0000-4000-8000-000000000000')
      .catch((error: unknown) => error as Error);
    const anothers = await service()
      .get(bob, id)
      .catch((error: unknown) => error as Error);
    expect((anothers as Error).message.replace(id, '')).toBe(
      (absent as Error).message.replace('rcp-00000000-0000-4000-8000-000000000000', ''),
    );
    expect((await service().list(bob, {})).map((recipe) => recipe.id)).not.toContain(id);
    await expect(service().delete(bob, id)).rejects.toMatchObject({ reason: 'recipe_not_found' });
    await service().delete(ada, id);
    await expect(service().get(ada, id)).rejects.toMatchObject({ reason: 'recipe_not_found' });
    await expect(service().delete(ada, 'debian-server')).rejects.toMatchObject({ reason: 'recipe_not_found' });
  });

  it('finds by category and words', async () => {
    const ids = async (query: ListRecipesInput) => (await service().list(bob, query)).map(({ id }) => id);
    expect(await ids({ category: 'healthcare' })).toEqual(['dicom-gateway', 'gxp-medtech']);
    expect(await ids({ search: 'GxP' })).toEqual(['gxp-medtech']);
    expect(await ids({ search: 'ssh docker monitoring debian server' })).toContain('debian-server');
    expect(await ids({ search: 'nothing-like-this' })).toEqual([]);
    await expect(service().list(bob, { category: 'helthcare' })).rejects.toMatchObject({
      reason: 'unknown_category',
      hint: expect.stringContaining('healthcare'),
    });
  });

  it('keeps a caller within the quota', async () => {
    await database.query(
      `INSERT INTO recipe (id, owner_id, name, document) SELECT 'rcp-' || n, 'address:192.0.2.9', 'n' || n, '{}' FROM generate_series(1, ${mostRecipesPerCaller}) n`,
    );
    await expect(create(anonymousCaller('192.0.2.9'), 'one-more')).rejects.toMatchObject({
      kind: 'quota',
      reason: 'recipe_quota',
    });
    await database.query(
      `WITH big AS (SELECT jsonb_build_object('d', string_agg(md5(random()::text), '')) AS document FROM generate_series(1, 32768))
       INSERT INTO recipe (id, owner_id, name, document) SELECT 'rcp-big' || n, 'address:192.0.2.10', 'n' || n, big.document FROM big, generate_series(1, 130) n`,
    );
    await expect(create(anonymousCaller('192.0.2.10'), 'one-more')).rejects.toMatchObject({
      kind: 'quota',
      reason: 'recipe_quota',
      message: expect.stringContaining('64 MiB'),
    });
  });
});

describe('the tools', () => {
  it('answer in the shape that they publish', async () => {
    const tools = app.get(RecipesTools);
    await create(ada, 'shape');
    expect(misfit(RecipeList, await tools.listRecipes(ada, {}))).toEqual([]);
    expect(misfit(RecipeCategoryList, await tools.listRecipeCategories())).toEqual([]);
    for (const { id } of await service().list(ada, {}))
      expect(misfit(RecipeDetails, await tools.getRecipe(ada, parseInput(GetRecipeInput, { recipe_id: id })))).toEqual(
        [],
      );
    for (const recipe of [
      validRecipe(),
      validRecipe({ services: [{ name: 'ssh' }] }),
      { name: 'x' },
      '{"name":"a","base":"fedora-40"}',
      'nonsense',
      5,
    ]) {
      expect(
        misfit(RecipeValidationOutput, await tools.validateRecipe(ada, parseInput(ValidateRecipeInput, { recipe }))),
      ).toEqual([]);
    }
    expect(
      misfit(
        CreatedRecipe,
        await tools.createRecipeFromTemplate(
          ada,
          parseInput(CreateRecipeInput, {
            template_id: 'gxp-medtech',
            name: 'shape-2',
            modifications: '{"add_features":["git"]}',
          }),
          new AbortController(),
        ),
      ),
    ).toEqual([]);
  });
});

describe('over REST', () => {
  const post = async (path: string, body: unknown, headers = {}) =>
    await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  it.each([
    '',
    '?category=web',
    '?search=docker',
    '/categories',
    '/base-images',
    '/features',
    '/services',
    '/schema',
    '/debian-server',
  ])('GET %s answers', async (path) => {
    const answer = await fetch(`${url}${path}`);
    expect(answer.status).toBe(200);
    expect(Object.keys((await answer.json()) as object).length).toBeGreaterThan(0);
  });

  it('tells base images with their archive', async () => {
    const { base_images } = (await (await fetch(`${url}/base-images`)).json()) as {
      base_images: Record<string, unknown>[];
    };
    expect(base_images).toContainEqual(
      expect.objectContaining({
        id: 'debian-bookworm',
        available: true,
        package_count: expect.any(Number),
        unavailable_reason: null,
      }),
    );
    expect(base_images).toContainEqual(
      expect.objectContaining({ id: 'fedora-40', available: false, nearest: 'debian-trixie' }),
    );
  });

  it('validates, creates, repeats and deletes', async () => {
    const validated = await post('/validate', { recipe: JSON.stringify(validRecipe({ packages: ['curll'] })) });
    expect(validated.status).toBe(200);
    expect(await validated.json()).toMatchObject({
      valid: false,
      errors: [{ path: '/recipe/packages/0', suggestion: 'curl' }],
    });
    const created = await post(
      '/from-template',
      { template_id: 'docker-host', name: 'by-rest' },
      { 'idempotency-key': 'rest-1' },
    );
    expect(created.status).toBe(201);
    const { recipe_id } = (await created.json()) as { recipe_id: string };
    expect(
      await (
        await post('/from-template', { template_id: 'docker-host', name: 'by-rest' }, { 'idempotency-key': 'rest-1' })
      ).json(),
    ).toMatchObject({ recipe_id });
    expect((await post('/from-template', { template_id: 'docker-host', name: 'by-rest' })).status).toBe(409);
    expect((await fetch(`${url}/${recipe_id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(`${url}/${recipe_id}`)).status).toBe(404);
  });

  it.each([
    ['/validate', {}],
    ['/validate', null],
    ['/from-template', { template_id: 'docker-host', name: 'NO' }],
    ['/from-template', { template_id: 'docker-host', name: 'a', nonsense: 1 }],
  ])('POST %s refuses %j', async (path, body) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('is the same index everywhere', () => expect(app.get(PackageIndex)).toBe(app.get(PostgresPackageIndex)));
});
