import ipaddr from 'ipaddr.js';
import type { RecipeDto } from '#libs/recipes';
import type { ServiceRenderer } from './service-renderer.js';

const zoneFile = '/etc/bind/db.openfactory';

/** BIND's named.conf. systemd-resolved stays beside it: that listens on 127.0.0.53 and 127.0.0.54, named on the addresses of interfaces. */
export const renderDns: ServiceRenderer<'dns'> = (plan, config, { recipe }) => {
  const list = (name: string, items: string[]) =>
    items.length ? [`  ${name} { ${items.map((item) => `${item};`).join(' ')} };`] : [];
  const clients = config.allow_query.length ? ['localhost', ...config.allow_query.map(networkOf)] : [];
  plan.file({
    path: '/etc/bind/named.conf.options',
    content: [
      'options {',
      '  directory "/var/cache/bind";',
      '  dnssec-validation auto;',
      '  listen-on-v6 { any; };',
      `  max-cache-size ${config.cache_size}M;`,
      ...list('forwarders', config.forwarders),
      ...list('allow-query', clients),
      ...list('allow-recursion', clients),
      '};',
      '',
    ].join('\n'),
  });
  if (config.local_domain !== undefined) {
    plan.file({ path: zoneFile, content: zoneOf(config.local_domain, recipe) });
    plan.file({
      path: '/etc/bind/named.conf.local',
      content: `zone "${config.local_domain}" {\n  type primary;\n  file "${zoneFile}";\n};\n`,
    });
  }
  plan.check(['named-checkconf', '-z']);
};

/** named takes no network with bits set beyond its prefix. */
function networkOf(cidr: string): string {
  const [address = '', bits = ''] = cidr.split('/');
  const { parse, IPv4, IPv6 } = ipaddr;
  return `${(parse(address).kind() === 'ipv4' ? IPv4.networkAddressFromCIDR(cidr) : IPv6.networkAddressFromCIDR(cidr)).toString()}/${bits}`;
}

/** RFC 1035, 5. The server's own name where its address is fixed, and the names of networking.hosts that are plain or lie in the domain. */
function zoneOf(domain: string, { name, networking }: RecipeDto): string {
  const own = (networking?.interfaces ?? []).flatMap(({ addresses }) =>
    addresses.map((address) => address.split('/')[0] ?? ''),
  );
  const hostname = (networking?.hostname ?? name).toLowerCase();
  const records = new Map<string, Set<string>>();
  const add = (host: string, address: string) =>
    records.set(
      host,
      (records.get(host) ?? new Set()).add(`${host} IN ${address.includes(':') ? 'AAAA' : 'A'} ${address}`),
    );
  for (const address of own) add(hostname, address);
  for (const { ip, names } of networking?.hosts ?? [])
    for (const host of names) if (labelIn(domain, host)) add(labelIn(domain, host) ?? '', ip);
  // A name server inside the zone needs an address; Debian's own zones name localhost too.
  const server = own.length ? `${hostname}.${domain}.` : 'localhost.';
  return [
    '$TTL 3600',
    `@ IN SOA ${server} root.${domain}. ( 1 3600 600 86400 600 )`,
    `@ IN NS ${server}`,
    ...[...records.values()].flatMap((lines) => [...lines]),
    '',
  ].join('\n');
}

function labelIn(domain: string, host: string): string | undefined {
  const lower = host.toLowerCase();
  if (!lower.includes('.')) return lower;
  return lower.endsWith(`.${domain.toLowerCase()}`) ? lower.slice(0, -domain.length - 1) : undefined;
}
