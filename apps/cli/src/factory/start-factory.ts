import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  AppError,
  databaseUnreachable,
  EmbeddedPostgres,
  keepSecret,
  migrate,
  Readiness,
  unprivilegedAccount,
  type Settings,
} from '#libs/platform';
import { FirstAdministrator } from '#libs/identity';
import { migrations } from '#migrations';
import { createApp } from '../../../api/src/create-app.js';
import type { AppOptions } from '../../../api/src/app.module.js';
import { startWorker } from '../../../worker/src/worker.js';

export interface RunningFactory {
  app: NestExpressApplication;
  postgres: EmbeddedPostgres | undefined;
  /** Where somebody makes the first account; undefined where there is one, or this process has no API. */
  setUpUrl: string | undefined;
  /** Ends everything: requests, sessions, jobs, the database. Safe to call twice. */
  stop(): Promise<void>;
}

/** Brings up database, schema, application and roles, in that order; whatever was started is stopped again if a later step fails. */
export async function startFactory(
  settings: Settings,
  more: Pick<AppOptions, 'extraModules' | 'pipelineModule' | 'hypervisorModule' | 'consoleModule'> = {},
): Promise<RunningFactory> {
  if (settings.roles.includes('api')) await checkAddress(settings);
  await makeDataDir(settings.dataDir);
  const undo: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= inReverse(undo));
  try {
    const postgres = settings.usesEmbeddedDatabase ? await startEmbedded(settings, undo) : undefined;
    const databaseUrl = settings.databaseUrl ?? postgres?.url() ?? '';
    const secret = settings.secret ?? (await keepSecret(settings.dataDir));
    await migrate(databaseUrl, migrations);
    const app = await createApp({ settings, databaseUrl, secret, ...more });
    undo.push(async () => {
      app.get(Readiness).stopping = true;
      await app.close();
    });
    if (settings.roles.includes('api')) await listen(app, settings);
    const setUpUrl = settings.roles.includes('api') ? await app.get(FirstAdministrator).prepare() : undefined;
    if (settings.roles.includes('worker')) await startWorker(app);
    return { app, postgres, setUpUrl, stop };
  } catch (error) {
    await stop();
    throw isConnectionFailure(error) ? databaseUnreachable(error) : error;
  }
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new AppError({
      kind: 'unavailable',
      reason: 'data_directory',
      message: `The data directory ${dataDir} cannot be made (${(error as NodeJS.ErrnoException).code}).`,
      hint: 'Choose a directory you may write to with OPENFACTORY_DATA_DIR.',
      cause: error,
    });
  }
}

async function startEmbedded(settings: Settings, undo: (() => Promise<void>)[]): Promise<EmbeddedPostgres> {
  const postgres = new EmbeddedPostgres({ dataDir: settings.dataDir, account: await unprivilegedAccount() });
  undo.push(() => postgres.stop());
  await postgres.start();
  return postgres;
}

async function listen(app: NestExpressApplication, settings: Settings): Promise<void> {
  await app.listen(settings.port, settings.host);
  const address = app.getHttpServer().address();
  if (address && typeof address === 'object') settings.boundTo(address.port);
}

/** Tries the address before anything is started, so that a second factory fails at once and with a sentence. */
async function checkAddress({ host, port }: Settings): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(port, host, resolve));
    await new Promise((resolve) => probe.close(resolve));
  } catch (error) {
    const where = `${host}:${port}`;
    const known: Partial<Record<string, [string, string]>> = {
      EADDRINUSE: [
        `The address ${where} is taken by another program.`,
        'Stop that program, or choose another port with OPENFACTORY_PORT.',
      ],
      EADDRNOTAVAIL: [
        `This machine has no address ${host}.`,
        'Set OPENFACTORY_HOST to one of its own, such as 127.0.0.1.',
      ],
      ENOTFOUND: [
        `The host name ${host} is unknown.`,
        'Set OPENFACTORY_HOST to an address of this machine, such as 127.0.0.1.',
      ],
      EACCES: [
        `Listening on ${where} is not allowed for this account.`,
        'Choose a port above 1023 with OPENFACTORY_PORT.',
      ],
    };
    const [message, hint] = known[(error as NodeJS.ErrnoException).code ?? ''] ?? [];
    if (!message) throw error;
    throw new AppError({ kind: 'conflict', reason: 'cannot_listen', message, hint, cause: error });
  }
}

async function inReverse(undo: (() => Promise<void>)[]): Promise<void> {
  for (const step of undo.reverse()) await step().catch((error: unknown) => console.error('While stopping:', error));
}

function isConnectionFailure(error: unknown): boolean {
  const codes = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', '28P01', '28000', '3D000', '57P03'];
  return codes.includes((error as { code?: string }).code ?? '');
}
