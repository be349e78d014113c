import { define } from '../setting-definition.js';
import { fail, httpUrl, integer, list, oneOf, optionalText, text } from '../setting-parsers.js';

const isProxyRange = (item: string) => /^(loopback|linklocal|uniquelocal|[0-9a-f.:]+(\/\d{1,3})?)$/i.test(item);
const isHostName = (item: string) => /^(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/i.test(item);
const isOrigin = (item: string) => URL.canParse(item) && new URL(item).origin === item;
const databaseUrl = (value?: string): string | undefined => {
  if (value === undefined) return undefined;
  // No URL.canParse: libpq URLs may leave the host out (postgres://user@/database?host=/socket/dir).
  return /^postgres(ql)?:\/\/./.test(value)
    ? value
    : fail('must be a URL that starts with postgres:// or postgresql://');
};
const secret = (value?: string): string | undefined =>
  value === undefined || value.length >= 32
    ? value
    : fail('must hold at least 32 characters (try: openssl rand -base64 48)');

/** The process itself: where it listens, what it keeps, what it writes down. */
export const factorySettings = {
  host: define({
    name: 'OPENFACTORY_HOST',
    meaning: 'Address to listen on.',
    shownDefault: '127.0.0.1',
    parse: text('127.0.0.1'),
  }),
  port: define({
    name: 'OPENFACTORY_PORT',
    meaning: 'TCP port to listen on; 0 takes a free one.',
    shownDefault: '3000',
    parse: integer(0, 65_535, 3000),
  }),
  publicUrl: define({
    name: 'OPENFACTORY_PUBLIC_URL',
    meaning:
      'The URL that clients use, with a path if a proxy serves the factory below one. Never taken from a request.',
    shownDefault: 'http://HOST:PORT',
    parse: httpUrl,
  }),
  dataDir: define({
    name: 'OPENFACTORY_DATA_DIR',
    meaning:
      'Where the factory keeps everything: the embedded database, its secret, images. Other accounts must be able to traverse it.',
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
    meaning:
      'Addresses, ranges (CIDR), or loopback, linklocal, uniquelocal: the proxies whose X-Forwarded-For is believed.',
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
  auditDays: define({
    name: 'OPENFACTORY_AUDIT_DAYS',
    meaning: 'Days that entries of the audit log are kept; at least 30.',
    shownDefault: '400',
    parse: integer(30, 36_500, 400),
  }),
} as const;
