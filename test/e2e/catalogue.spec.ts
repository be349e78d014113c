import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { PUBLIC_ROUTE, QueueService, schemaOf } from '#libs/platform';
import { ToolCatalogue, toolListing } from '#libs/mcp';
import { gatewayOptions } from '../../apps/api/src/gateway.js';
import { clientSchemaRules, type ListedTool } from '../support/client-schema-rules.js';
import { startTestApp, type TestApp } from '../support/app.js';

/** The 40 tools of the two specified systems; the product's catalogue is a part of these, and in the end all of them. */
const specified = {
  builds: ['list_builds', 'get_build', 'get_build_status', 'create_build', 'get_iso_download_url', 'retry_build'],
  recipes: ['list_recipes', 'list_recipe_categories', 'get_recipe', 'validate_recipe', 'create_recipe_from_template'],
  vms: [
    'list_vms',
    'create_vm',
    'start_vm',
    'stop_vm',
    'delete_vm',
    'screenshot_vm',
    'interact_vm',
    'get_vm_console_url',
  ],
  desktop: [
    'desktop_screenshot',
    'desktop_click',
    'desktop_type',
    'desktop_key',
    'desktop_open_url',
    'desktop_interact',
  ],
  tests: ['run_tests', 'get_test_results', 'list_test_runs', 'stop_test_run'],
  hostfactory: [
    'check_provider_health',
    'list_providers',
    'get_provider_config',
    'get_provider_metrics',
    'list_templates',
    'get_template',
    'validate_template',
    'request_machines',
    'get_request_status',
    'list_return_requests',
    'return_machines',
  ],
};

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());
const tools = () => app.app.get(ToolCatalogue).all.map(({ definition }) => definition);

describe('every tool', () => {
  it('is one of the specified, in its toolset; the recipe tools are all there', () => {
    for (const { name, toolset } of tools()) expect(specified[toolset as keyof typeof specified]).toContain(name);
    expect(
      tools()
        .filter(({ toolset }) => toolset === 'recipes')
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...specified.recipes].sort());
    expect(Object.values(specified).flat()).toHaveLength(40);
  });

  it('says what it does, when to use it, and what to call next', () => {
    for (const { name, title, description } of tools()) {
      expect([name, title]).toEqual([name, expect.stringMatching(/^[A-Z][\w ,-]{3,60}$/)]);
      expect([name, description.length > 120 && description.length < 2_000]).toEqual([name, true]);
    }
  });

  it('sends a model only to tools that are there', () => {
    const there = tools().map(({ name }) => name);
    const missing = Object.values(specified)
      .flat()
      .filter((name) => !there.includes(name));
    const texts = [gatewayOptions.instructions, ...tools().map((tool) => JSON.stringify(toolListing(tool)))];
    expect(missing.filter((name) => texts.some((text) => new RegExp(`\\b${name}\\b`).test(text)))).toEqual([]);
  });

  it('has annotations that agree with each other', () => {
    const contradictory = tools().filter(({ readOnly, destructive }) => readOnly && destructive);
    expect(contradictory.map(({ name }) => name)).toEqual([]);
  });

  it('explains every parameter, without combinators at the top that some providers refuse', () => {
    for (const { name, input } of tools()) {
      const schema = schemaOf(input);
      expect(schema.type).toBe('object');
      for (const key of ['anyOf', 'oneOf', 'allOf', 'not', '$ref']) expect(schema).not.toHaveProperty(key);
      for (const [parameter, property] of Object.entries(schema.properties ?? {}))
        expect([name, parameter, typeof property.description === 'string' && property.description.length > 10]).toEqual(
          [name, parameter, true],
        );
    }
  });

  it('publishes valid JSON Schemas', () => {
    const ajv = addFormats.default(new Ajv2020({ strict: false }));
    for (const { input, output } of tools())
      for (const dto of [input, output]) if (dto) expect(ajv.validateSchema(schemaOf(dto))).toBe(true);
  });

  it.each(Object.entries(clientSchemaRules))('passes what %s asks of it', (_client, broken) => {
    expect(tools().flatMap((tool) => broken(toolListing(tool) as ListedTool))).toEqual([]);
  });

  it('is what was agreed: a changed name, description or schema shows here', () => {
    expect(tools().map(toolListing)).toMatchSnapshot();
  });

  it('fits into a model’s context: the whole list stays small', () => {
    expect(JSON.stringify(tools().map(toolListing)).length).toBeLessThan(60_000);
  });
});

describe('every route', () => {
  it('has a caller, or is marked public on purpose', () => {
    const reflector = app.app.get(Reflector);
    const scanner = new MetadataScanner();
    const open = app.app
      .get(DiscoveryService)
      .getControllers()
      .flatMap(({ instance, metatype }) => {
        const prototype = Object.getPrototypeOf(instance) as Record<string, () => unknown>;
        return scanner
          .getAllMethodNames(prototype)
          .filter(
            (method) =>
              Reflect.hasMetadata('path', prototype[method]!) &&
              reflector.getAllAndOverride(PUBLIC_ROUTE, [prototype[method]!, metatype as never]),
          )
          .map((method) => `${metatype?.name}.${method}`);
      });
    expect(open.sort()).toEqual([
      ...['confirm', 'describe', 'requestReset', 'reset', 'setUp', 'signUp'].map(
        (method) => `AccountLinksController.${method}`,
      ),
      'DownloadsController.download',
      'MetricsController.read',
      'OperationsController.live',
      'OperationsController.ready',
      ...['refresh', 'signIn', 'signOut', 'token'].map((method) => `SignInController.${method}`),
      ...['anyPage', 'asset', 'page'].map((method) => `WebPagesController.${method}`),
    ]);
  });
});

describe('every job', () => {
  it('has a queue of its own', () => {
    const queues = app.app.get(QueueService).definitions.map(({ queue }) => queue);
    expect(queues).toEqual([...new Set(queues)]);
    expect(queues).toEqual(expect.arrayContaining(['platform.forget-idempotency-keys', 'package-index.refresh']));
    for (const queue of queues) expect(queue).toMatch(/^[a-z-]+\.[a-z-]+$/);
  });
});
