import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import type { DynamicModule, Type } from '@nestjs/common';
import { loadSettings, type Settings } from '#libs/platform';
import { startFactory, type RunningFactory } from '../../apps/cli/src/factory/start-factory.js';
import { openApiDocument } from '../../apps/api/src/openapi.js';
import { cloneDatabase, type TestDatabase } from './database.js';
import { DocumentedAnswers, type OpenApi } from './documented-answers.js';

export interface TestApp extends RunningFactory {
  url: string;
  settings: Settings;
  database: TestDatabase;
}

export interface TestAppOptions {
  /** Environment variables over the defaults of a test. */
  environment?: Record<string, string>;
  extraModules?: (Type | DynamicModule)[];
  /** Instead of the product's build pipeline. */
  pipelineModule?: Type | DynamicModule;
  /** Instead of the product's hypervisor. */
  hypervisorModule?: Type | DynamicModule;
  consoleModule?: DynamicModule;
  /** A database of another app, for a second process on the same state. */
  database?: TestDatabase;
}

const plenty = '1000000';

/** The whole product on a free port with a database of its own; `stop` leaves nothing behind, and fails where an answer was not as OpenAPI describes it. */
export async function startTestApp({
  environment = {},
  extraModules,
  pipelineModule,
  hypervisorModule,
  consoleModule,
  database: shared,
}: TestAppOptions = {}): Promise<TestApp> {
  const database = shared ?? (await cloneDatabase());
  const dataDir = environment.OPENFACTORY_DATA_DIR ?? (await makeDataDir());
  const { settings } = loadSettings({
    OPENFACTORY_PORT: '0',
    OPENFACTORY_ROLES: 'api',
    OPENFACTORY_LOG_LEVEL: 'silent',
    OPENFACTORY_DATA_DIR: dataDir,
    OPENFACTORY_SECRET: randomBytes(32).toString('hex'),
    DATABASE_URL: database.url,
    // Tests ask every few milliseconds and come from one address; what the limits do is tested in limits-and-audit.spec.ts.
    OPENFACTORY_CALLS_PER_MINUTE: plenty,
    OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: plenty,
    OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: plenty,
    OPENFACTORY_REFUSED_CREDENTIALS_PER_MINUTE: plenty,
    ...environment,
  });
  const factory = await startFactory(settings, {
    extraModules,
    ...(pipelineModule && { pipelineModule }),
    ...(hypervisorModule && { hypervisorModule }),
    ...(consoleModule && { consoleModule }),
  });
  const answers = new DocumentedAnswers(openApiDocument(factory.app, settings.publicUrl) as unknown as OpenApi);
  answers.watch(factory.app.getHttpServer());
  return {
    ...factory,
    settings,
    database,
    url: settings.publicUrl,
    stop: async () => {
      await factory.stop();
      if (!shared) await database.drop();
      if (!environment.OPENFACTORY_DATA_DIR) await rm(dataDir, { recursive: true, force: true });
      if (answers.faults.length)
        throw new Error(`Answers that are not as OpenAPI describes them:\n${answers.faults.join('\n')}`);
    },
  };
}

async function makeDataDir(): Promise<string> {
  const dir = await mkdtemp('/tmp/openfactory-app-');
  await chmod(dir, 0o755);
  return dir;
}
