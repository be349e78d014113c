/** One environment variable of the factory: what it means, its default in words, and how its text becomes a value. */
export interface SettingDefinition<T> {
  readonly name: string;
  readonly meaning: string;
  /** The default as the documentation shows it. */
  readonly shownDefault: string;
  readonly secret?: boolean;
  /** Throws an Error whose message completes the sentence "NAME …". Gets undefined where the variable is unset or empty. */
  readonly parse: (text: string | undefined) => T;
}

const fail = (message: string): never => {
  throw new Error(message);
};

const text = (fallback: string) => (value?: string) => value ?? fallback;
const optionalText = (value?: string) => value;
const oneOf =
  <T extends string>(words: readonly T[], fallback: T) =>
  (value?: string): T =>
    value === undefined ? fallback : (words.find((word) => word === value) ?? fail(`must be one of ${words.join(', ')}, not "${value}"`));
const integer =
  (min: number, max: number, fallback: number) =>
  (value?: string): number => {
    if (value === undefined) return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max ? number : fail(`must be a whole number from ${min} to ${max}, not "${value}"`);
  };
/** undefined where it follows from the host. */
const optionalInteger =
  (min: number, max: number) =>
  (value?: string): number | undefined =>
    value === undefined ? undefined : integer(min, max, min)(value);
const list =
  (fallback: string[], check: (item: string) => boolean, what: string) =>
  (value?: string): string[] => {
    if (value === undefined) return fallback;
    const items = value.split(',').map((item) => item.trim()).filter(Boolean);
    const bad = items.find((item) => !check(item));
    return bad === undefined ? items : fail(`must be a comma-separated list of ${what}; "${bad}" is none`);
  };
const httpUrl = (value: string | undefined): URL | undefined => {
  if (value === undefined) return undefined;
  const url = URL.canParse(value) ? new URL(value) : fail('must be a URL such as https://factory.example');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') fail('must start with http:// or https://');
  if (url.search || url.hash) fail('must not hold a query or a fragment');
  return url;
};
/** Mirrors may carry credentials (a private mirror); they never reach a log or an image. */
const mirror = (value?: string): string | undefined => httpUrl(value)?.href.replace(/\/$/, '');
const isProxyRange = (item: string) => /^(loopback|linklocal|uniquelocal|[0-9a-f.:]+(\/\d{1,3})?)$/i.test(item);
const isHostName = (item: string) => /^(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/i.test(item);
const isOrigin = (item: string) => URL.canParse(item) && new URL(item).origin === item;
const databaseUrl = (value?: string): string | undefined => {
  if (value === undefined) return undefined;
  // No URL.canParse: libpq URLs may leave the host out (postgres://user@/database?host=/socket/dir).
  return /^postgres(ql)?:\/\/./.test(value) ? value : fail('must be a URL that starts with postgres:// or postgresql://');
};
const secret = (value?: string): string | undefined =>
  value === undefined || value.length >= 32 ? value : fail('must hold at least 32 characters (try: openssl rand -base64 48)');

/** As it is written to be compared: without the spaces around it, in lower case. */
const email = (value?: string): string | undefined =>
  value === undefined || /^[^\s@]+@[^\s@]+$/.test(value) ? value?.toLowerCase() : fail('must be one e-mail address');
const adminPassword = (value?: string): string | undefined =>
  value === undefined || (value.length >= 12 && value.length <= 256) ? value : fail('must hold 12 to 256 characters');
const smtpUrl = (value?: string): string | undefined =>
  value === undefined || (/^smtps?:$/.test(URL.canParse(value) ? new URL(value).protocol : '') && new URL(value).hostname) ? value : fail('must be a URL such as smtps://user:password@mail.example:465');
const sender = (value?: string): string | undefined =>
  value === undefined || /^([^<>\r\n]* <)?[^\s<>@]+@[^\s<>@]+>?$/.test(value) ? value : fail('must be an address such as factory@example.com, or OpenFactory <factory@example.com>');

const define = <T>(definition: SettingDefinition<T>) => definition;

/** Every variable the factory reads, in the order of the documentation (docs/configuration.md is made from this list). */
export const settingDefinitions = {
  host: define({ name: 'OPENFACTORY_HOST', meaning: 'Address to listen on.', shownDefault: '127.0.0.1', parse: text('127.0.0.1') }),
  port: define({ name: 'OPENFACTORY_PORT', meaning: 'TCP port to listen on; 0 takes a free one.', shownDefault: '3000', parse: integer(0, 65_535, 3000) }),
  publicUrl: define({
    name: 'OPENFACTORY_PUBLIC_URL',
    meaning: 'The URL that clients use, with a path if a proxy serves the factory below one. Never taken from a request.',
    shownDefault: 'http://HOST:PORT',
    parse: httpUrl,
  }),
  dataDir: define({
    name: 'OPENFACTORY_DATA_DIR',
    meaning: 'Where the factory keeps everything: the embedded database, its secret, images. Other accounts must be able to traverse it.',
    shownDefault: '/var/lib/openfactory as root, else $XDG_DATA_HOME/openfactory (~/.local/share/openfactory)',
    parse: optionalText,
  }),
  databaseUrl: define({
    name: 'DATABASE_URL',
    meaning: 'A PostgreSQL server (14 or newer) to use instead of the embedded one.',
    shownDefault: 'the embedded PostgreSQL',
    secret: true,
    parse: databaseUrl,
  }),
  secret: define({
    name: 'OPENFACTORY_SECRET',
    meaning: 'What every key is derived from (HKDF); all replicas need the same one. Required with DATABASE_URL.',
    shownDefault: 'made and kept in the data directory (0600)',
    secret: true,
    parse: secret,
  }),
  roles: define({
    name: 'OPENFACTORY_ROLES',
    meaning: 'What this process does: api, worker, or both.',
    shownDefault: 'api,worker',
    parse: list(['api', 'worker'], (item) => item === 'api' || item === 'worker', 'api and worker'),
  }),
  trustProxy: define({
    name: 'OPENFACTORY_TRUST_PROXY',
    meaning: 'Addresses, ranges (CIDR), or loopback, linklocal, uniquelocal: the proxies whose X-Forwarded-For is believed.',
    shownDefault: 'none',
    parse: list([], isProxyRange, 'addresses and ranges'),
  }),
  allowedHosts: define({
    name: 'OPENFACTORY_ALLOWED_HOSTS',
    meaning: 'Further host names (name or name:port) that requests may be sent to.',
    shownDefault: 'the host of the public URL, HOST, localhost, 127.0.0.1 and [::1]',
    parse: list([], isHostName, 'host names'),
  }),
  allowedOrigins: define({
    name: 'OPENFACTORY_ALLOWED_ORIGINS',
    meaning: 'Further origins (scheme://host:port) whose web pages may call the factory.',
    shownDefault: 'the public URL’s origin and that of localhost',
    parse: list([], isOrigin, 'origins'),
  }),
  anonymous: define({
    name: 'OPENFACTORY_ANONYMOUS',
    meaning: 'on: whoever sends no credentials works as the anonymous caller of their address. off: everybody needs an account or a key.',
    shownDefault: 'on',
    parse: (value?: string) => oneOf(['on', 'off'], 'on')(value) === 'on',
  }),
  signUp: define({
    name: 'OPENFACTORY_SIGN_UP',
    meaning: 'Who may make an account. invitation: whoever has the link of an administrator; open: everybody; closed: nobody, administrators make them (openfactory admin create-user).',
    shownDefault: 'invitation',
    parse: oneOf(['invitation', 'open', 'closed'], 'invitation'),
  }),
  adminEmail: define({
    name: 'OPENFACTORY_ADMIN_EMAIL',
    meaning: 'E-mail of the first administrator, made at a start without any account. Goes with OPENFACTORY_ADMIN_PASSWORD; without both, the start prints a set-up link.',
    shownDefault: 'none',
    parse: email,
  }),
  adminPassword: define({
    name: 'OPENFACTORY_ADMIN_PASSWORD',
    meaning: 'Password of the first administrator (12 to 256 characters); of no use once there is an account.',
    shownDefault: 'none',
    secret: true,
    parse: adminPassword,
  }),
  accessTokenMinutes: define({
    name: 'OPENFACTORY_ACCESS_TOKEN_MINUTES',
    meaning: 'Minutes that an access token is valid.',
    shownDefault: '15',
    parse: integer(1, 1440, 15),
  }),
  signInDays: define({
    name: 'OPENFACTORY_SIGN_IN_DAYS',
    meaning: 'Days after which somebody must sign in again, however often their token was refreshed.',
    shownDefault: '30',
    parse: integer(1, 365, 30),
  }),
  smtpUrl: define({
    name: 'OPENFACTORY_SMTP_URL',
    meaning: 'The mail server that links are sent through (smtp:// or smtps://). Without one nothing is sent, and administrators hand links out.',
    shownDefault: 'none',
    secret: true,
    parse: smtpUrl,
  }),
  mailFrom: define({
    name: 'OPENFACTORY_MAIL_FROM',
    meaning: 'The sender of mail.',
    shownDefault: 'OpenFactory <openfactory@ the host of the public URL>',
    parse: sender,
  }),
  callsPerMinute: define({
    name: 'OPENFACTORY_CALLS_PER_MINUTE',
    meaning: 'Calls a minute of one key or of one signed-in person, over REST and MCP together; further ones are told when to come back.',
    shownDefault: '1200',
    parse: integer(1, 10_000_000, 1200),
  }),
  anonymousCallsPerMinute: define({
    name: 'OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE',
    meaning: 'The same for one anonymous caller, which is everybody behind one address who sends no credentials.',
    shownDefault: '600',
    parse: integer(1, 10_000_000, 600),
  }),
  callsPerMinutePerAddress: define({
    name: 'OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS',
    meaning: 'Calls a minute from one address, whoever makes them, refused ones too.',
    shownDefault: '3000',
    parse: integer(1, 10_000_000, 3000),
  }),
  refusedCredentialsPerMinute: define({
    name: 'OPENFACTORY_REFUSED_CREDENTIALS_PER_MINUTE',
    meaning: 'Credentials of one address, of all kinds together, that may be refused in a minute; then none of theirs are looked at until it is over.',
    shownDefault: '30',
    parse: integer(1, 10_000_000, 30),
  }),
  limitsStore: define({
    name: 'OPENFACTORY_LIMITS_STORE',
    meaning: 'Where calls are counted. memory: each process counts for itself. postgres: all replicas count together, at one query a call.',
    shownDefault: 'memory',
    parse: oneOf<'memory' | 'postgres'>(['memory', 'postgres'], 'memory'),
  }),
  anonymousBuilds: define({
    name: 'OPENFACTORY_ANONYMOUS_BUILDS',
    meaning: 'Builds of one anonymous caller that may wait or run at once; never more than OPENFACTORY_BUILD_MAX_QUEUED_PER_CALLER.',
    shownDefault: '10',
    parse: integer(0, 10_000, 10),
  }),
  anonymousBuildMinutesPerDay: define({
    name: 'OPENFACTORY_ANONYMOUS_BUILD_MINUTES_PER_DAY',
    meaning: 'Minutes that the builds of one anonymous caller may have run in the last 24 hours; then no further one is taken.',
    shownDefault: '600',
    parse: integer(0, 1_000_000, 600),
  }),
  anonymousVms: define({
    name: 'OPENFACTORY_ANONYMOUS_VMS',
    meaning: 'VMs of one anonymous caller, running or not; never more than OPENFACTORY_VM_MAX_PER_CALLER.',
    shownDefault: '10',
    parse: integer(0, 10_000, 10),
  }),
  anonymousDiskGb: define({
    name: 'OPENFACTORY_ANONYMOUS_DISK_GB',
    meaning: 'GiB that one anonymous caller may take: the files of their builds, and OPENFACTORY_VM_DISK_GB for each of their VMs and for each snapshot of a VM’s disk.',
    shownDefault: '100',
    parse: integer(0, 1_000_000, 100),
  }),
  metricsToken: define({
    name: 'OPENFACTORY_METRICS_TOKEN',
    meaning: 'Bearer token for /metrics; without one, only loopback may read it.',
    shownDefault: 'none',
    secret: true,
    parse: optionalText,
  }),
  logLevel: define({
    name: 'OPENFACTORY_LOG_LEVEL',
    meaning: 'trace, debug, info, warn, error, fatal or silent.',
    shownDefault: 'info',
    parse: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
  }),
  mcpMaxSessions: define({
    name: 'OPENFACTORY_MCP_MAX_SESSIONS',
    meaning: 'MCP sessions of one process; beyond it new ones are told to come back later.',
    shownDefault: '5000',
    parse: integer(1, 1_000_000, 5000),
  }),
  mcpMaxSessionsPerCaller: define({
    name: 'OPENFACTORY_MCP_MAX_SESSIONS_PER_CALLER',
    meaning: 'MCP sessions of one caller; a further one ends the caller’s longest idle session.',
    shownDefault: '100',
    parse: integer(1, 1_000_000, 100),
  }),
  mcpMaxSessionsPerOwner: define({
    name: 'OPENFACTORY_MCP_MAX_SESSIONS_PER_OWNER',
    meaning: 'MCP sessions of one owner, with all keys of the account together; a further one ends the owner’s longest idle session.',
    shownDefault: '300',
    parse: integer(1, 1_000_000, 300),
  }),
  mcpMaxInFlight: define({
    name: 'OPENFACTORY_MCP_MAX_IN_FLIGHT',
    meaning: 'Requests that one MCP session may have running at once.',
    shownDefault: '32',
    parse: integer(1, 10_000, 32),
  }),
  debianMirror: define({
    name: 'OPENFACTORY_DEBIAN_MIRROR',
    meaning: 'Debian mirror for package indices and builds.',
    shownDefault: 'the host’s own apt sources, else the distribution’s default',
    secret: true,
    parse: mirror,
  }),
  ubuntuMirror: define({
    name: 'OPENFACTORY_UBUNTU_MIRROR',
    meaning: 'Ubuntu mirror for package indices and builds.',
    shownDefault: 'the host’s own apt sources, else the distribution’s default',
    secret: true,
    parse: mirror,
  }),
  cacheMaxGb: define({
    name: 'OPENFACTORY_CACHE_MAX_GB',
    meaning: 'GiB that the build cache (stage results and fetched packages) may take; what was used least recently goes first.',
    shownDefault: '50',
    parse: integer(1, 100_000, 50),
  }),
  packageIndexRefreshHours: define({
    name: 'OPENFACTORY_PACKAGE_INDEX_REFRESH_HOURS',
    meaning: 'Hours between two refreshes of the package indices.',
    shownDefault: '6',
    parse: integer(1, 720, 6),
  }),
  buildConcurrency: define({
    name: 'OPENFACTORY_BUILD_CONCURRENCY',
    meaning: 'Builds that one worker process runs at once.',
    shownDefault: '1',
    parse: integer(1, 64, 1),
  }),
  buildMaxQueuedPerCaller: define({
    name: 'OPENFACTORY_BUILD_MAX_QUEUED_PER_CALLER',
    meaning: 'Builds of one caller that may wait or run at once; further ones are refused.',
    shownDefault: '10',
    parse: integer(1, 10_000, 10),
  }),
  buildRecordsMbPerCaller: define({
    name: 'OPENFACTORY_BUILD_RECORDS_MB_PER_CALLER',
    meaning: 'MiB of recipes and logs of one caller’s builds, ended ones too; beyond it new ones are refused until some are deleted.',
    shownDefault: '512',
    parse: integer(1, 1_000_000, 512),
  }),
  auditDays: define({
    name: 'OPENFACTORY_AUDIT_DAYS',
    meaning: 'Days that entries of the audit log are kept; at least 30.',
    shownDefault: '400',
    parse: integer(30, 36_500, 400),
  }),
  artifactRetentionDays: define({
    name: 'OPENFACTORY_ARTIFACT_RETENTION_DAYS',
    meaning: 'Days after its end that the files of a build are kept; the record of the build stays.',
    shownDefault: '90',
    parse: integer(1, 36_500, 90),
  }),
  downloadUrlMinutes: define({
    name: 'OPENFACTORY_DOWNLOAD_URL_MINUTES',
    meaning: 'Minutes that a signed download URL is valid.',
    shownDefault: '15',
    parse: integer(1, 10_080, 15),
  }),
  vmMaxPerCaller: define({
    name: 'OPENFACTORY_VM_MAX_PER_CALLER',
    meaning: 'VMs of one caller, running or not; further ones are refused.',
    shownDefault: '10',
    parse: integer(1, 10_000, 10),
  }),
  vmMax: define({
    name: 'OPENFACTORY_VM_MAX',
    meaning: 'VMs of one host, running or not.',
    shownDefault: '50',
    parse: integer(1, 10_000, 50),
  }),
  vmMemoryMb: define({
    name: 'OPENFACTORY_VM_MEMORY_MB',
    meaning: 'MiB of memory that one host gives to VMs that run.',
    shownDefault: 'three quarters of the host’s memory',
    parse: optionalInteger(256, 16_777_216),
  }),
  vmMaxVcpus: define({
    name: 'OPENFACTORY_VM_MAX_VCPUS',
    meaning: 'Virtual processors that one VM may have.',
    shownDefault: 'as many as the host has, at least 2',
    parse: optionalInteger(1, 1_024),
  }),
  vmCpuOvercommit: define({
    name: 'OPENFACTORY_VM_CPU_OVERCOMMIT',
    meaning: 'Virtual processors of all VMs that run, for each processor of the host.',
    shownDefault: '4',
    parse: integer(1, 64, 4),
  }),
  vmDiskGb: define({
    name: 'OPENFACTORY_VM_DISK_GB',
    meaning: 'GiB that the disk of one VM may grow to.',
    shownDefault: '8',
    parse: integer(1, 10_000, 8),
  }),
  vmMinFreeDiskGb: define({
    name: 'OPENFACTORY_VM_MIN_FREE_DISK_GB',
    meaning: 'GiB that must be free in the data directory for a further VM or VM snapshot.',
    shownDefault: '5',
    parse: integer(0, 1_000_000, 5),
  }),
  vmSnapshotsPerCaller: define({
    name: 'OPENFACTORY_VM_SNAPSHOTS_PER_CALLER',
    meaning: 'VM snapshots (which clones start from) kept for one caller on one host; what was used least recently goes first. 0: every VM boots.',
    shownDefault: '4',
    parse: integer(0, 10_000, 4),
  }),
  vmSnapshotsMaxGb: define({
    name: 'OPENFACTORY_VM_SNAPSHOTS_MAX_GB',
    meaning: 'GiB that all VM snapshots of one host may take.',
    shownDefault: '40',
    parse: integer(1, 1_000_000, 40),
  }),
  vmAnonymousIdleHours: define({
    name: 'OPENFACTORY_VM_ANONYMOUS_IDLE_HOURS',
    meaning: 'Hours without a call after which the VM of an anonymous caller is stopped.',
    shownDefault: '4',
    parse: integer(1, 87_600, 4),
  }),
  vmAnonymousKeepHours: define({
    name: 'OPENFACTORY_VM_ANONYMOUS_KEEP_HOURS',
    meaning: 'Hours after which the stopped VM of an anonymous caller is deleted.',
    shownDefault: '24',
    parse: integer(1, 87_600, 24),
  }),
  consoleUrlMinutes: define({
    name: 'OPENFACTORY_CONSOLE_URL_MINUTES',
    meaning: 'Minutes within which the URL of a VM’s console must be opened; an open console lives on.',
    shownDefault: '10',
    parse: integer(1, 1440, 10),
  }),
  consoleMaxHours: define({
    name: 'OPENFACTORY_CONSOLE_MAX_HOURS',
    meaning: 'Hours after which an open console is closed.',
    shownDefault: '12',
    parse: integer(1, 168, 12),
  }),
} as const;

/** Read by the clients of a factory (`openfactory mcp`, `openfactory demo`), not by the factory itself. */
export const clientSettingDefinitions = {
  url: define({ name: 'OPENFACTORY_URL', meaning: 'The factory that the command-line clients talk to.', shownDefault: 'http://127.0.0.1:3000', parse: (value?: string) => httpUrl(value) ?? new URL('http://127.0.0.1:3000') }),
  apiKey: define({ name: 'OPENFACTORY_API_KEY', meaning: 'The API key they send.', shownDefault: 'none (anonymous)', secret: true, parse: optionalText }),
} as const;
