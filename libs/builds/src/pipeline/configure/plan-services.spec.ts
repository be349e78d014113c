import { describe, expect, it } from '@jest/globals';
import { parseInput, schemaOf, type JsonSchema } from '#libs/platform';
import { RecipeDto, serviceConfigs, type Resolution, type ServiceId } from '#libs/recipes';
import type { PlannedFile } from './image-plan.js';
import { planImage } from './plan-image.js';

const key = (letter: string) => `${letter.repeat(42)}A=`;
const verifier = (letter: string) =>
  `SCRAM-SHA-256$4096:${letter.repeat(22)}==$${letter.repeat(43)}=:${letter.repeat(43)}=`;

/** Two configs of each service that differ in every option; where an option needs another to mean anything, both have that. */
const samples: { [Id in ServiceId]: [one: object, other: object] } = {
  ssh: [
    {
      port: 22,
      allow_root: false,
      disable_password_auth: false,
      client_alive_interval: 60,
      max_auth_tries: 6,
      permit_empty_passwords: false,
      timeout: 30,
    },
    {
      port: 2222,
      allow_root: true,
      disable_password_auth: true,
      client_alive_interval: 0,
      max_auth_tries: 3,
      permit_empty_passwords: true,
      timeout: 60,
    },
  ],
  docker: [
    {
      registry_mirrors: [],
      log_driver: 'json-file',
      log_max_size_mb: 10,
      log_max_files: 3,
      live_restore: true,
      dns: [],
      data_root: '/var/lib/docker',
    },
    {
      registry_mirrors: ['https://mirror.example.org'],
      log_driver: 'local',
      log_max_size_mb: 20,
      log_max_files: 4,
      live_restore: false,
      dns: ['192.0.2.1'],
      data_root: '/srv/docker',
    },
  ],
  firewall: [
    {
      default: 'deny',
      allow_ping: true,
      rules: [{ action: 'allow', protocol: 'tcp', port: 80, source: '192.0.2.0/24' }],
    },
    {
      default: 'allow',
      allow_ping: false,
      rules: [{ action: 'deny', protocol: 'udp', port: 81, source: '192.0.2.1' }],
    },
  ],
  nginx: [
    {
      worker_processes: 'auto',
      worker_connections: 768,
      sites: [
        {
          server_name: '_',
          root: '/srv/a',
          port: 80,
          ssl: true,
          certificate: '/etc/a.crt',
          certificate_key: '/etc/a.key',
        },
      ],
    },
    {
      worker_processes: '2',
      worker_connections: 100,
      sites: [
        {
          server_name: 'example.org',
          root: '/srv/b',
          proxy_pass: 'http://127.0.0.1:3000',
          port: 81,
          ssl: false,
          certificate: '/etc/b.crt',
          certificate_key: '/etc/b.key',
        },
      ],
    },
  ],
  postgresql: [
    {
      port: 5432,
      listen_addresses: ['localhost'],
      max_connections: 100,
      shared_buffers_mb: 128,
      allow: [],
      databases: ['a'],
      users: [{ name: 'a', password_verifier: verifier('a'), databases: ['a'] }],
    },
    {
      port: 5433,
      listen_addresses: ['0.0.0.0'],
      max_connections: 50,
      shared_buffers_mb: 256,
      allow: ['192.0.2.0/24'],
      databases: ['b'],
      users: [{ name: 'b', password_verifier: verifier('b'), databases: ['b'] }],
    },
  ],
  redis: [
    {
      port: 6379,
      bind: ['127.0.0.1'],
      maxmemory: '64mb',
      maxmemory_policy: 'noeviction',
      appendonly: false,
      password_sha256: 'a'.repeat(64),
    },
    {
      port: 6380,
      bind: ['0.0.0.0'],
      maxmemory: '1gb',
      maxmemory_policy: 'allkeys-lru',
      appendonly: true,
      password_sha256: 'b'.repeat(64),
    },
  ],
  monitoring: [
    { port: 9100, listen_address: '127.0.0.1', collectors: [] },
    { port: 9101, listen_address: '::1', collectors: ['systemd'] },
  ],
  ntp: [
    { servers: [], allow: [] },
    { servers: ['time.example.org'], allow: ['192.0.2.0/24'] },
  ],
  dns: [
    { forwarders: [], local_domain: 'example.org', cache_size: 90, allow_query: [] },
    { forwarders: ['192.0.2.53'], local_domain: 'example.net', cache_size: 64, allow_query: ['192.0.2.0/24'] },
  ],
  dhcp: [
    {
      subnet: '192.0.2.0/24',
      range_start: '192.0.2.10',
      range_end: '192.0.2.20',
      gateway: '192.0.2.1',
      dns: ['192.0.2.2'],
      interface: 'eth0',
      lease_seconds: 86_400,
    },
    {
      subnet: '192.0.2.0/25',
      range_start: '192.0.2.11',
      range_end: '192.0.2.21',
      gateway: '192.0.2.3',
      dns: ['192.0.2.4'],
      interface: 'eth1',
      lease_seconds: 600,
    },
  ],
  vpn: [
    {
      type: 'wireguard',
      listen_port: 51_820,
      addresses: ['10.8.0.1/24'],
      private_key_file: '/etc/wireguard/private.key',
      peers: [
        {
          public_key: key('a'),
          allowed_ips: ['10.8.0.2/32'],
          endpoint: 'a.example.org:51820',
          persistent_keepalive: 25,
        },
      ],
    },
    {
      type: 'wireguard',
      listen_port: 51_821,
      addresses: ['10.8.0.2/24'],
      private_key_file: '/etc/wireguard/other.key',
      peers: [
        { public_key: key('b'), allowed_ips: ['0.0.0.0/0'], endpoint: '192.0.2.1:51820', persistent_keepalive: 0 },
      ],
    },
  ],
};

const recipe = (more: object = {}) =>
  parseInput(RecipeDto, { name: 'web-1', base_image: 'debian-trixie', security: { disable_root: false }, ...more });
const stepsOf = (id: ServiceId, config: unknown, more: object = {}) => {
  const resolution: Resolution = {
    base: { id: 'debian-trixie' } as never,
    features: [{ id, files: [], ports: [] } as never],
    packages: [],
    installed: [],
    removedPackages: [],
    services: [
      { name: id, config: JSON.parse(JSON.stringify(parseInput(serviceConfigs[id] as never, config))), at: 0 },
    ],
    units: [],
  };
  return planImage(recipe(more), resolution, []).steps;
};
const textOf = (id: ServiceId, config: object, path: string, more: object = {}) =>
  String(
    stepsOf(id, config, more).find((step): step is PlannedFile => 'path' in step && step.path === path)?.content ?? '',
  );

/** Paths of the options of a config, those inside lists by their first entry. */
function optionsOf(schema: JsonSchema, at: (string | number)[] = []): (string | number)[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    field.items?.properties ? optionsOf(field.items, [...at, name, 0]) : [[...at, name]],
  );
}
const valueAt = (config: unknown, path: (string | number)[]) => path.reduce<any>((node, part) => node?.[part], config); // eslint-disable-line @typescript-eslint/no-explicit-any -- any config
const withValue = (config: object, path: (string | number)[], value: unknown): object => {
  const copy = structuredClone(config);
  valueAt(copy, path.slice(0, -1))[path.at(-1)!] = value;
  return copy;
};

describe('every option of every service', () => {
  const options = (Object.keys(serviceConfigs) as ServiceId[]).flatMap((id) =>
    optionsOf(schemaOf(serviceConfigs[id])).map((path) => [id, path.join('.'), path] as const),
  );

  it.each(options)('%s: %s is written into the image', (id, _name, path) => {
    const [one, other] = samples[id];
    const values = [valueAt(one, path), valueAt(other, path)];
    // The samples say it, so that a new option cannot be forgotten here.
    expect(values[1]).toBeDefined();
    if (id === 'vpn' && path[0] === 'type')
      return expect(textOf('vpn', one, '/etc/systemd/network/20-wg0.netdev')).toContain('Kind=wireguard');
    expect(values[0]).not.toEqual(values[1]);
    expect(stepsOf(id, withValue(one, path, values[1]))).not.toEqual(stepsOf(id, one));
  });
});

describe('the configuration of', () => {
  it('PostgreSQL goes to the cluster of the base, and what needs the server is made at the first boot', () => {
    const [config] = samples.postgresql;
    expect(
      textOf(
        'postgresql',
        { ...config, listen_addresses: ['localhost', '192.0.2.5'] },
        '/etc/postgresql/17/main/conf.d/openfactory.conf',
      ),
    ).toBe("port = 5432\nlisten_addresses = 'localhost, 192.0.2.5'\nmax_connections = 100\nshared_buffers = 128MB\n");
    expect(textOf('postgresql', config, '/usr/share/openfactory/postgresql.sql').split('\n')).toEqual([
      `SELECT 'CREATE ROLE "a" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'a') \\gexec`,
      `ALTER ROLE "a" PASSWORD '${verifier('a')}';`,
      `SELECT 'CREATE DATABASE "a"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'a') \\gexec`,
      'ALTER DATABASE "a" OWNER TO "a";',
      '',
    ]);
    expect(stepsOf('postgresql', config)).toContainEqual(
      expect.objectContaining({ path: '/usr/share/openfactory/postgresql.sql', mode: '0640', group: 'postgres' }),
    );
  });

  it('Redis is included last, and waits for an address of its own', () => {
    const config = { ...samples.redis[0], bind: ['127.0.0.1', '192.0.2.5'] };
    expect(textOf('redis', config, '/etc/redis/openfactory.conf')).toContain('bind 127.0.0.1 192.0.2.5\n');
    expect(stepsOf('redis', config)).toContainEqual({
      argv: ['sed', '-i', '$a include /etc/redis/openfactory.conf', '/etc/redis/redis.conf'],
    });
    expect(textOf('redis', config, '/etc/systemd/system/redis-server.service.d/10-openfactory.conf')).toContain(
      'After=network-online.target\n',
    );
    expect(textOf('redis', samples.redis[0], '/etc/systemd/system/redis-server.service.d/10-openfactory.conf')).toBe(
      '',
    );
  });

  it('BIND answers for its domain, and takes networks only by their first address', () => {
    const networking = {
      hostname: 'ns1',
      interfaces: [{ name: 'eth0', addresses: ['192.0.2.53/24', '2001:db8::53/64'] }],
      hosts: [{ ip: '192.0.2.9', names: ['db', 'DB2.example.org', 'elsewhere.example.net'] }],
    };
    expect(
      textOf(
        'dns',
        { local_domain: 'example.org', allow_query: ['10.1.2.3/8', '2001:db8::1/32'] },
        '/etc/bind/named.conf.options',
      ),
    ).toContain('allow-query { localhost; 10.0.0.0/8; 2001:db8::/32; };');
    const zone = textOf('dns', { local_domain: 'example.org' }, '/etc/bind/db.openfactory', { networking }).split('\n');
    expect(zone.slice(2, -1)).toEqual([
      '@ IN NS ns1.example.org.',
      'ns1 IN A 192.0.2.53',
      'ns1 IN AAAA 2001:db8::53',
      'db IN A 192.0.2.9',
      'db2 IN A 192.0.2.9',
    ]);
    expect(textOf('dns', { local_domain: 'example.org' }, '/etc/bind/db.openfactory')).toContain(
      '@ IN NS localhost.\n',
    );
  });

  it('Kea gives what was asked', () => {
    const { Dhcp4 } = JSON.parse(textOf('dhcp', samples.dhcp[0], '/etc/kea/kea-dhcp4.conf')) as {
      Dhcp4: { subnet4: unknown[] };
    };
    expect(Dhcp4.subnet4).toEqual([
      {
        id: 1,
        subnet: '192.0.2.0/24',
        pools: [{ pool: '192.0.2.10 - 192.0.2.20' }],
        'option-data': [
          { name: 'routers', data: '192.0.2.1' },
          { name: 'domain-name-servers', data: '192.0.2.2' },
        ],
      },
    ]);
  });

  it('nginx asks for the address of another host when it needs it: it would not start where it has no answer yet', () => {
    const proxied = (proxy_pass: string) =>
      textOf('nginx', { sites: [{ server_name: '_', proxy_pass }] }, '/etc/nginx/sites-available/openfactory-0')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => /^(resolver|set|rewrite|proxy_pass)/.test(line));
    for (const here of [
      'http://127.0.0.1:3000',
      'http://[::1]:3000/x',
      'http://localhost:8080/a/',
      'http://unix:/run/app.sock:/',
    ])
      expect(proxied(here)).toEqual([`proxy_pass ${here};`]);
    const lookedUp = (host: string) => ['resolver 127.0.0.53;', `set $openfactory_target "${host}";`];
    expect(proxied('http://app.example.org:8080')).toEqual([
      ...lookedUp('http://app.example.org:8080'),
      'proxy_pass $openfactory_target;',
    ]);
    expect(proxied('https://app.example.org/')).toEqual([
      ...lookedUp('https://app.example.org'),
      'proxy_pass $openfactory_target;',
    ]);
    // As proxy_pass does: what stands after the host takes the place of the slash.
    expect(proxied('http://app/v1/')).toEqual([
      ...lookedUp('http://app'),
      'rewrite ^/(.*)$ "/v1/$1" break;',
      'proxy_pass $openfactory_target;',
    ]);
  });

  it('nginx may name places with spaces and quotes, and is asked whether it takes it once the files of the recipe are there', () => {
    const sites = [
      {
        server_name: '_',
        root: '/srv/my "site"; x',
        ssl: true,
        certificate: '/etc/ssl/a b.crt',
        certificate_key: '/etc/ssl/a.key',
      },
    ];
    const text = textOf('nginx', { sites }, '/etc/nginx/sites-available/openfactory-0');
    for (const line of [
      'root "/srv/my \\"site\\"; x";',
      'ssl_certificate "/etc/ssl/a b.crt";',
      'ssl_certificate_key "/etc/ssl/a.key";',
    ])
      expect(text).toContain(`  ${line}\n`);
    const steps = stepsOf('nginx', { sites }, { files: [{ path: '/etc/ssl/a b.crt', content: 'x' }] });
    const [check, file] = [
      steps.findIndex((step) => 'argv' in step && step.argv.join(' ') === 'nginx -t -q'),
      steps.findIndex((step) => 'path' in step && step.path === '/etc/ssl/a b.crt'),
    ];
    expect(file).toBeGreaterThan(0);
    expect(check).toBeGreaterThan(file);
  });

  it('WireGuard holds no key, and keeps its own packets out of a tunnel that takes everything', () => {
    const netdev = (config: object) => textOf('vpn', config, '/etc/systemd/network/20-wg0.netdev');
    expect(netdev(samples.vpn[0])).toMatch(/PrivateKeyFile=\/etc\/wireguard\/private\.key\nRouteTable=main\n/);
    expect(netdev(samples.vpn[1])).toContain('FirewallMark=51820\n');
    expect(textOf('vpn', samples.vpn[1], '/etc/systemd/network/20-wg0.network')).toContain(
      'FirewallMark=51820\nInvertRule=yes\nTable=51820\n',
    );
    expect(textOf('vpn', samples.vpn[0], '/etc/systemd/network/20-wg0.network')).not.toContain('RoutingPolicyRule');
    expect(textOf('vpn', samples.vpn[1], '/etc/systemd/system/of-wireguard-key.service')).toMatch(
      /^After=.* of-machine\.service$/m,
    );
    expect(textOf('vpn', samples.vpn[1], '/etc/systemd/system/of-wireguard-key.service')).toMatch(
      /ConditionPathExists=!\/etc\/wireguard\/other\.key[\s\S]*wg genkey > \/etc\/wireguard\/other\.key/,
    );
  });

  it('the node exporter listens on IPv6 too', () => {
    expect(textOf('monitoring', samples.monitoring[1], '/etc/default/prometheus-node-exporter')).toBe(
      'ARGS="--web.listen-address=[::1]:9101 --collector.systemd"\n',
    );
  });
});
