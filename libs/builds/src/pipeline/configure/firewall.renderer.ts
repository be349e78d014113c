import { openPorts, type RecipeDto, type Resolution } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

interface Rule {
  action: 'allow' | 'deny';
  protocol: 'tcp' | 'udp';
  port: number;
  source?: string;
}

/** nftables (nft(8)), where the feature firewall is in the image. */
export function renderFirewall(plan: ImagePlan, { networking }: RecipeDto, resolution: Resolution): void {
  const { services, features } = resolution;
  if (!features.some(({ id }) => id === 'firewall')) return;
  const own = services.find(({ name }) => name === 'firewall')?.config;
  const asked = networking?.firewall;
  const policy = (asked?.default ?? own?.default ?? 'deny') === 'allow' ? 'accept' : 'drop';
  const rules = [...((asked?.rules ?? []) as Rule[]), ...((own?.rules ?? []) as Rule[])];
  const ping = own?.allow_ping !== false;
  const lines = [
    '#!/usr/sbin/nft -f',
    'flush ruleset',
    'table inet filter {',
    '  chain input {',
    `    type filter hook input priority 0; policy ${policy};`,
    '    ct state established,related accept',
    '    ct state invalid drop',
    '    iif lo accept',
    // What an address of its own needs (RFC 4890, 4.4.1). Not `ip6 nexthdr`: multicast listener queries come behind a hop-by-hop header.
    '    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept',
    // Answers of DHCP servers (RFC 2131, 8415): asked by multicast and broadcast, so no connection is known that they would belong to.
    '    udp dport 68 accept',
    '    ip6 saddr fe80::/10 udp dport 546 accept',
    ...(ping ? ['    icmp type echo-request accept', '    icmpv6 type echo-request accept'] : []),
    ...rules.map(
      ({ action, protocol, port, source }) =>
        `    ${source ? `${source.includes(':') ? 'ip6' : 'ip'} saddr ${source} ` : ''}${protocol} dport ${port} ${action === 'allow' ? 'accept' : 'drop'}`,
    ),
    ...openPorts(resolution).map(({ protocol, port }) =>
      port === undefined ? `    meta l4proto ${protocol} accept` : `    ${protocol} dport ${port} accept`,
    ),
    '  }',
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    '  }',
    '}',
    '',
  ];
  plan.file({ path: '/etc/nftables.conf', content: lines.join('\n'), mode: '0755' });
}
