import { domainName, ipAddress, type TextRule } from '../schema/text-rules.js';

export const wireguardKey: TextRule = {
  code: 'wireguardKey',
  must: 'be a WireGuard public key (44 characters of base64)',
  test: (text) => /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/.test(text),
  schema: { minLength: 44, maxLength: 44 },
};

export const endpoint: TextRule = {
  code: 'endpoint',
  must: 'be host:port',
  test: (text) => {
    const [, host = '', port = ''] = /^(.{1,253}):(\d{1,5})$/.exec(text) ?? [];
    return (domainName.test(host) || ipAddress.test(host.replace(/^\[|\]$/g, ''))) && Number(port) >= 1 && Number(port) <= 65_535;
  },
  schema: { maxLength: 260 },
};

export const byteSize: TextRule = {
  code: 'byteSize',
  must: 'be a size such as "256mb"',
  test: (text) => /^[1-9]\d{0,9}(kb|mb|gb)$/.test(text),
  schema: { pattern: '^[1-9]\\d{0,9}(kb|mb|gb)$' },
};

export const workerCount: TextRule = {
  code: 'workerCount',
  must: 'be "auto" or a whole number from 1 to 512, as text',
  test: (text) => text === 'auto' || (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= 512),
  schema: { pattern: '^(auto|[1-9]\\d{0,2})$' },
};

export const serverName: TextRule = {
  code: 'serverName',
  must: 'be a host name, "_" or a name such as "*.example.org"',
  test: (text) => text === '_' || domainName.test(text.replace(/^\*\./, '')),
  schema: { maxLength: 253 },
};

/** Names of roles and databases that need no quoting. */
export const databaseName: TextRule = {
  code: 'databaseName',
  must: 'be a lower-case name of at most 63 letters, digits and underscores',
  test: (text) => /^[a-z_][a-z0-9_]{0,62}$/.test(text) && !text.startsWith('pg_'),
  schema: { pattern: '^[a-z_][a-z0-9_]{0,62}$' },
};
