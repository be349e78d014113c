import os from 'node:os';
import path from 'node:path';
import { closest } from 'fastest-levenshtein';
import { AppError, errorMessage } from '../errors/app-error.js';
import type { SettingDefinition } from './setting-definition.js';
import { clientSettingDefinitions, settingDefinitions } from './setting-definitions.js';

type Parsed<D extends Record<string, SettingDefinition<unknown>>> = { [K in keyof D]: ReturnType<D[K]['parse']> };
type ServerValues = Parsed<typeof settingDefinitions>;
type Environment = Record<string, string | undefined>;

/** The validated configuration of one factory process. A class, so that Nest can inject it. */
export class Settings {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly secret: string | undefined;
  readonly roles: readonly string[];
  readonly trustProxy: string[];
  readonly allowedHosts: string[];
  readonly allowedOrigins: string[];
  readonly anonymous: boolean;
  readonly signUp: ServerValues['signUp'];
  readonly adminEmail: string | undefined;
  readonly adminPassword: string | undefined;
  readonly accessTokenMinutes: number;
  readonly signInDays: number;
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string | undefined;
  readonly callsPerMinute: number;
  readonly anonymousCallsPerMinute: number;
  readonly callsPerMinutePerAddress: number;
  readonly refusedCredentialsPerMinute: number;
  readonly limitsStore: ServerValues['limitsStore'];
  readonly anonymousBuilds: number;
  readonly anonymousBuildMinutesPerDay: number;
  readonly anonymousVms: number;
  readonly anonymousDiskGb: number;
  readonly metricsToken: string | undefined;
  readonly logLevel: ServerValues['logLevel'];
  readonly mcpMaxSessions: number;
  readonly mcpMaxSessionsPerCaller: number;
  readonly mcpMaxSessionsPerOwner: number;
  readonly mcpMaxInFlight: number;
  readonly buildRecordsMbPerCaller: number;
  readonly auditDays: number;
  readonly debianMirror: string | undefined;
  readonly ubuntuMirror: string | undefined;
  readonly cacheMaxGb: number;
  readonly packageIndexRefreshHours: number;
  readonly buildConcurrency: number;
  readonly buildMaxQueuedPerCaller: number;
  readonly artifactRetentionDays: number;
  readonly downloadUrlMinutes: number;
  readonly vmMaxPerCaller: number;
  readonly vmMax: number;
  readonly vmMemoryMb: number | undefined;
  readonly vmMaxVcpus: number | undefined;
  readonly vmCpuOvercommit: number;
  readonly vmDiskGb: number;
  readonly vmMinFreeDiskGb: number;
  readonly vmSnapshotsPerCaller: number;
  readonly vmSnapshotsMaxGb: number;
  readonly vmAnonymousIdleHours: number;
  readonly vmAnonymousKeepHours: number;
  readonly consoleUrlMinutes: number;
  readonly consoleMaxHours: number;
  private readonly configuredPublicUrl: URL | undefined;
  private listeningPort: number | undefined;

  constructor(values: ServerValues & { dataDir: string }) {
    const { publicUrl, ...rest } = values;
    Object.assign(this, rest);
    this.configuredPublicUrl = publicUrl;
  }

  /** The port really bound; only differs from `port` where that is 0. */
  boundTo(port: number): void {
    this.listeningPort = port;
  }

  /** Base of every URL the factory hands out, without a trailing slash. */
  get publicUrl(): string {
    if (this.configuredPublicUrl) return this.configuredPublicUrl.href.replace(/\/$/, '');
    const host = this.host === '0.0.0.0' || this.host === '::' ? '127.0.0.1' : this.host;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.listeningPort ?? this.port}`;
  }

  /** Address and port really listened on, as a URL writes them: "0.0.0.0:3000", "[::1]:3000". */
  get listeningOn(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.listeningPort ?? this.port}`;
  }

  get usesEmbeddedDatabase(): boolean {
    return this.databaseUrl === undefined;
  }
}

export interface SettingsOutcome {
  settings: Settings;
  warnings: string[];
}

/** @throws AppError `invalid_configuration` that lists every wrong variable at once. */
export function loadSettings(
  environment: Environment = process.env,
  overrides: Partial<ServerValues> = {},
): SettingsOutcome {
  const { values, problems } = parseAll(settingDefinitions, environment);
  const merged = { ...values, ...overrides };
  if (merged.databaseUrl && !merged.secret)
    problems.push(
      'OPENFACTORY_SECRET must be set where DATABASE_URL is, because all replicas derive their keys from it',
    );
  if ((merged.adminEmail === undefined) !== (merged.adminPassword === undefined))
    problems.push('OPENFACTORY_ADMIN_EMAIL and OPENFACTORY_ADMIN_PASSWORD go together: set both or none');
  const dataDir = merged.dataDir ?? defaultDataDir(environment);
  if (!path.isAbsolute(dataDir)) problems.push(`OPENFACTORY_DATA_DIR must be an absolute path, not "${dataDir}"`);
  if (problems.length) throw configurationError(problems);
  return { settings: new Settings({ ...merged, dataDir }), warnings: unknownVariables(environment) };
}

export interface ClientSettings {
  url: URL;
  apiKey: string | undefined;
}

export function loadClientSettings(environment: Environment = process.env): ClientSettings {
  const { values, problems } = parseAll(clientSettingDefinitions, environment);
  if (problems.length) throw configurationError(problems);
  return values;
}

function parseAll<D extends Record<string, SettingDefinition<unknown>>>(
  definitions: D,
  environment: Environment,
): { values: Parsed<D>; problems: string[] } {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [key, definition] of Object.entries(definitions)) {
    try {
      values[key] = definition.parse(environment[definition.name]?.trim() || undefined);
    } catch (error) {
      problems.push(`${definition.name} ${definition.secret ? 'is not valid: ' : ''}${errorMessage(error)}`);
    }
  }
  return { values: values as Parsed<D>, problems };
}

function configurationError(problems: string[]): AppError {
  return new AppError({
    kind: 'invalid',
    reason: 'invalid_configuration',
    message: `The configuration is wrong: ${problems.join('; ')}.`,
    hint: 'Every variable is described in docs/configuration.md.',
  });
}

function defaultDataDir(environment: Environment): string {
  if (process.getuid?.() === 0) return '/var/lib/openfactory';
  return path.join(
    environment.XDG_DATA_HOME || path.join(environment.HOME || os.homedir(), '.local/share'),
    'openfactory',
  );
}

function unknownVariables(environment: Environment): string[] {
  const known = [...Object.values(settingDefinitions), ...Object.values(clientSettingDefinitions)].map(
    ({ name }) => name,
  );
  return Object.keys(environment)
    .filter((name) => name.startsWith('OPENFACTORY_') && !known.includes(name))
    .map((name) => `${name} is not a setting of OpenFactory; did you mean ${closest(name, known)}?`);
}
