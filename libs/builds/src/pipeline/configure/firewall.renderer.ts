import type { RecipeDto, Resolution } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

interface Rule {
  action: 'allow' | 'deny';
  protocol: 'tcp' | 'udp';
  port: number;
  source?: string;
}

/** Ports of services that an image with the feature opens without a rule (recipe.md: "default deny inbound but for enabled services"). */
const servicePorts: Record<string, (config: Record<string, unknown>) => [protocol: string, port: number][]> = {
  ssh: ({ port }) => [['tcp', Number(port)]],
  nginx: ({ sites }) => ((sites as { port?: number; ssl?: boolean }[]).length ? (sites as { port?: number; ssl?: boolean }[]) : [{}]).map(({ port, ssl }) => ['tcp', port ?? (ssl ? 443 : 80)]),
  monitoring: ({ port }) => [['tcp', Number(port)]],
};

/** nftables (nft(8)), where the feature firewall is in the image. */
export function renderFirewall(plan: ImagePlan, { networking }: RecipeDto, { services, features }: Resolution): void {
  if (!features.some(({ id }) => id === 'firewall')) return;
  const own = services.find(({ name }) => name === 'firewall')?.config;
  const asked = networking?.firewall;
  const policy = (asked?.default ?? own?.default ?? 'deny') === 'allow' ? 'accept' : 'drop';
  const rules = [...((asked?.rules ?? []) as Rule[]), ...((own?.rules ?? []) as Rule[])];
  const open = services.flatMap(({ name, config }) => servicePorts[name]?.(config) ?? []);
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
    '    ip6 nexthdr icmpv6 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept',
    '    udp dport 68 accept',
    ...(ping ? ['    icmp type echo-request accept', '    icmpv6 type echo-request accept'] : []),
    ...rules.map(({ action, protocol, port, source }) => `    ${source ? `${source.includes(':') ? 'ip6' : 'ip'} saddr ${source} ` : ''}${protocol} dport ${port} ${action === 'allow' ? 'accept' : 'drop'}`),
    ...[...new Set(open.map(([protocol, port]) => `    ${protocol} dport ${port} accept`))],
    '  }',
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    '  }',
    '}',
    '',
  ];
  plan.file({ path: '/etc/nftables.conf', content: lines.join('\n'), mode: '0755' });
}
