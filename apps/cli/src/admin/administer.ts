import { existsSync } from 'node:fs';
import path from 'node:path';
import { NestFactory } from '@nestjs/core';
import { AdministrationModule, AdministrationService } from '#libs/identity';
import { AppError, EmbeddedPostgres, keepSecret, loadSettings, migrate, unprivilegedAccount, type Settings } from '#libs/platform';
import { migrations } from '#migrations';

/** Does something with the accounts of the factory whose settings these are; its embedded database is started for it where it is not running. */
export async function administer<T>(work: (administration: AdministrationService) => Promise<T>, settings: Settings = loadSettings().settings): Promise<T> {
  const { databaseUrl, close } = settings.databaseUrl === undefined ? await openEmbedded(settings) : { databaseUrl: settings.databaseUrl, close: () => Promise.resolve() };
  try {
    await migrate(databaseUrl, migrations);
    const secret = settings.secret ?? (await keepSecret(settings.dataDir));
    const context = await NestFactory.createApplicationContext(AdministrationModule.forRoot({ settings, databaseUrl, secret }), { logger: ['error'], abortOnError: false });
    try {
      return await work(context.get(AdministrationService));
    } finally {
      await context.close();
    }
  } finally {
    await close();
  }
}

async function openEmbedded({ dataDir }: Settings): Promise<{ databaseUrl: string; close: () => Promise<void> }> {
  const postgres = new EmbeddedPostgres({ dataDir, account: await unprivilegedAccount() });
  if (await postgres.isRunning()) return { databaseUrl: postgres.url(), close: () => Promise.resolve() };
  if (!existsSync(path.join(postgres.clusterDir, 'PG_VERSION'))) {
    throw new AppError({ kind: 'wrong_state', reason: 'no_factory', message: `There is no factory in ${dataDir}.`, hint: 'Start it once with "openfactory up", or set OPENFACTORY_DATA_DIR to its data directory and run this as the account it runs as.' });
  }
  await postgres.start();
  return { databaseUrl: postgres.url(), close: () => postgres.stop() };
}
