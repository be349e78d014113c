import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

export const servicePassword = 'correct horse battery';

/** RFC 5803, as PostgreSQL writes it. */
function scramVerifier(password: string): string {
  const salt = Buffer.from('a salt of 16 byt');
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$4096:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}

/** Every service that a test looks at in a running image (services.spec.ts), with options that no distribution has by default. */
export const serviceSamples = [
  {
    name: 'postgresql',
    config: {
      port: 5433,
      listen_addresses: ['0.0.0.0'],
      max_connections: 37,
      shared_buffers_mb: 24,
      allow: ['192.0.2.0/24'],
      databases: ['shop', 'order'],
      users: [
        { name: 'shop', databases: ['shop'], password_verifier: scramVerifier(servicePassword) },
        { name: 'ada', databases: ['order'] },
      ],
    },
  },
  {
    name: 'redis',
    config: {
      port: 6380,
      bind: ['127.0.0.1'],
      maxmemory: '32mb',
      maxmemory_policy: 'allkeys-lru',
      appendonly: true,
      password_sha256: createHash('sha256').update(servicePassword).digest('hex'),
    },
  },
  {
    name: 'dns',
    config: {
      forwarders: ['192.0.2.53'],
      local_domain: 'lab.example.org',
      cache_size: 33,
      allow_query: ['192.0.2.7/24'],
    },
  },
  {
    name: 'dhcp',
    config: {
      subnet: '198.51.100.0/24',
      range_start: '198.51.100.10',
      range_end: '198.51.100.10',
      gateway: '198.51.100.1',
      dns: ['198.51.100.2'],
      lease_seconds: 600,
    },
  },
  {
    name: 'vpn',
    config: {
      listen_port: 51_821,
      addresses: ['10.8.0.1/24'],
      peers: [
        {
          public_key: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
          allowed_ips: ['10.9.0.0/16'],
          endpoint: 'vpn.example.org:51820',
          persistent_keepalive: 25,
        },
      ],
    },
  },
  { name: 'monitoring', config: { port: 9101, listen_address: '127.0.0.1', collectors: ['processes'] } },
  { name: 'ntp', config: { servers: ['192.0.2.123'], allow: ['192.0.2.0/24'] } },
];
/** What the name server answers for. */
export const serviceHosts = [{ ip: '192.0.2.9', names: ['db.lab.example.org'] }];

/** What the exporter of an image can collect, on one line, as validation lists it. */
export const collectorsOf =
  "prometheus-node-exporter --help 2>&1 | sed -nE 's/^ +--(\\[no-\\])?collector\\.([a-z0-9_]+)( .*)?$/\\2/p' | LC_ALL=C sort | xargs";
