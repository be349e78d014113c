import type { RecipeDto, RecipeNetworking } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

type Interface = RecipeNetworking['interfaces'][number];

/** systemd-networkd (systemd.network(5)); DHCP on every wired interface where the recipe names none. */
export function renderNetwork(plan: ImagePlan, { networking }: RecipeDto): void {
  const interfaces = networking?.interfaces ?? [];
  if (interfaces.length === 0) {
    plan.file({ path: '/etc/systemd/network/80-wired.network', content: `[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n${dnsLines(networking)}` });
  }
  interfaces.forEach((one, index) => plan.file({ path: `/etc/systemd/network/${String(10 + index)}-interface.network`, content: renderInterface(one, networking) }));
  plan.enable('systemd-networkd.service');
  // A machine without a cable must still come up; what needs the network orders itself after network-online.target.
  plan.run(['systemctl', 'disable', '--quiet', 'systemd-networkd-wait-online.service']);
}

function renderInterface({ name, match, dhcp4, dhcp6, addresses, gateway4, gateway6, mtu }: Interface, networking: RecipeNetworking | undefined): string {
  const dhcp = dhcp4 && dhcp6 ? 'yes' : dhcp4 ? 'ipv4' : dhcp6 ? 'ipv6' : 'no';
  return [
    '[Match]',
    `Name=${name ?? match ?? ''}`,
    '',
    ...(mtu === undefined ? [] : ['[Link]', `MTUBytes=${mtu}`, '']),
    '[Network]',
    `DHCP=${dhcp}`,
    ...addresses.map((address) => `Address=${address}`),
    ...[gateway4, gateway6].flatMap((gateway) => (gateway === undefined ? [] : [`Gateway=${gateway}`])),
    dnsLines(networking),
  ].join('\n');
}

function dnsLines(networking: RecipeNetworking | undefined): string {
  const { nameservers = [], search = [] } = networking?.dns ?? {};
  return [...nameservers.map((server) => `DNS=${server}\n`), ...(search.length ? [`Domains=${search.join(' ')}\n`] : [])].join('');
}
