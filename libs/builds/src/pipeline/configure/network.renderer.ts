import type { RecipeDto, RecipeNetworking } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

type Interface = RecipeNetworking['interfaces'][number];

/**
 * What needs the network orders itself after network-online.target, which waits by this unit. A machine without a link must still come up, and soon:
 * without a carrier (a condition that fails is no failure) it does not wait for an address, and for one no longer than a DHCP server takes.
 * systemd-networkd-wait-online.service(8)
 */
const waitOnline = `[Unit]
# Anything but lo.
ConditionPathExistsGlob=/sys/class/net/[!l]*

[Service]
ExecCondition=/usr/lib/systemd/systemd-networkd-wait-online --any --operational-state=carrier --timeout=10
ExecStart=
ExecStart=-/usr/lib/systemd/systemd-networkd-wait-online --any --operational-state=routable --timeout=20
`;

/** @returns whether a machine of the recipe asks for an address or has one */
export const hasNetwork = ({ networking }: RecipeDto): boolean =>
  !networking?.interfaces.length ||
  networking.interfaces.some(({ dhcp4, dhcp6, addresses }) => dhcp4 || dhcp6 || addresses.length > 0);

/** systemd-networkd (systemd.network(5)); DHCP on every wired interface where the recipe names none. */
export function renderNetwork(plan: ImagePlan, { networking }: RecipeDto): void {
  const interfaces = networking?.interfaces ?? [];
  if (interfaces.length === 0) {
    plan.file({
      path: '/etc/systemd/network/80-wired.network',
      content: `[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n${dnsLines(networking)}`,
    });
  }
  // The first file that matches rules: what is said of one interface must not be taken by a pattern.
  [
    ...interfaces.filter(({ name }) => name !== undefined),
    ...interfaces.filter(({ name }) => name === undefined),
  ].forEach((one, index) =>
    plan.file({
      path: `/etc/systemd/network/${String(10 + index)}-interface.network`,
      content: renderInterface(one, networking),
    }),
  );
  plan.enable('systemd-networkd.service');
  plan.file({
    path: '/etc/systemd/system/systemd-networkd-wait-online.service.d/10-openfactory.conf',
    content: waitOnline,
  });
}

function renderInterface(
  { name, match, dhcp4, dhcp6, addresses, gateway4, gateway6, mtu }: Interface,
  networking: RecipeNetworking | undefined,
): string {
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
  return [
    ...nameservers.map((server) => `DNS=${server}\n`),
    ...(search.length ? [`Domains=${search.join(' ')}\n`] : []),
  ].join('');
}
