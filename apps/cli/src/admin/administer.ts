import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { NestFactory } from '@nestjs/core';
import { AdministrationModule, AdministrationService } from '#libs/identity';
import {
  AppError,
  AuditLog,
  EmbeddedPostgres,
  keepSecret,
  loadSettings,
  migrate,
  toAppError,
  unprivilegedAccount,
  type Settings,
} from '#libs/platform';
import { migrations } from '#migrations';

/** For the audit log. Without an action nothing is recorded: reading is not. */
export interface AuditContext {
  action?: 'admin_create_user' | 'admin_reset_password' | 'admin_disable_user' | 'admin_enable_user';
  /** Id of the account. */
  object?: string;
}

type Work<T> = (administration: AdministrationService, audit: AuditContext) => Promise<T>;

/** Does something with the accounts of the factory whose settings these are; its embedded database is started for it where it is not running. */
export async function administer<T>(work: Work<T>, settings: Settings = loadSettings().settings): Promise<T> {
  const { databaseUrl, close } =
    settings.databaseUrl === undefined
      ? await openEmbedded(settings)
      : { databaseUrl: settings.databaseUrl, close: () => Promise.resolve() };
  try {
    await migrate(databaseUrl, migrations);
    const secret = settings.secret ?? (await keepSecret(settings.dataDir));
    const context = await NestFactory.createApplicationContext(
      AdministrationModule.forRoot({ settings, databaseUrl, secret }),
      { logger: ['error'], abortOnError: false },
    );
    try {
      return await audited(context.get(AuditLog), (audit) => work(context.get(AdministrationService), audit));
    } finally {
      await context.close();
    }
  } finally {
    await close();
  }
}

/** Whoever may run this owns the factory; the log tells which account of the host it was. */
async function audited<T>(log: AuditLog, work: (audit: AuditContext) => Promise<T>): Promise<T> {
  const audit: AuditContext = {};
  const record = (result?: string) => {
    if (audit.action)
      log.record({
        caller: { kind: 'host', principalId: `host:${hostAccount()}` },
        edge: 'cli',
        action: audit.action,
        object: audit.object,
        result,
      });
  };
  try {
    const result = await work(audit);
    record();
    return result;
  } catch (error) {
    record(toAppError(error).reason);
    throw error;
  }
}

function hostAccount(): string {
  try {
    return os.userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}

async function openEmbedded({ dataDir }: Settings): Promise<{ databaseUrl: string; close: () => Promise<void> }> {
  const postgres = new EmbeddedPostgres({ dataDir, account: await unprivilegedAccount() });
  if (await postgres.isRunning()) return { databaseUrl: postgres.url(), close: () => Promise.resolve() };
  if (!existsSync(path.join(postgres.clusterDir, 'PG_VERSION'))) {
    throw new AppError({
      kind: 'wrong_state',
      reason: 'no_factory',
      message: `There is no factory in ${dataDir}.`,
      hint: 'Start it once with "openfactory up", or set OPENFACTORY_DATA_DIR to its data directory and run this as the account it runs as.',
    });
  }
  await postgres.start();
  return { databaseUrl: postgres.url(), close: () => postgres.stop() };
}
