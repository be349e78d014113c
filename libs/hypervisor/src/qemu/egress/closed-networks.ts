import { askProgram } from '#libs/platform';

/** Networks that are never the internet (RFC 6890 and the IANA registry of special-purpose addresses), however the host routes them. */
export const specialNetworks: readonly string[] = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT, RFC 6598
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, where clouds keep their metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.88.99.0/24', // 6to4 relays: a way around an IPv4 filter
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
];

/** What ip(8) prints with `-json`, as far as it matters here. */
export interface HostAddresses {
  links: { addr_info?: { family?: string; local?: string; address?: string; prefixlen?: number }[] }[];
  routes: { dst?: string; scope?: string; gateway?: string; nexthops?: { gateway?: string }[] }[];
}

/**
 * The host's own addresses, public ones too, the networks that its interfaces stand in, and its gateways, at this moment: an address that it gets
 * later is closed to guests that are started later.
 * @throws ProgramError
 */
export async function findHostNetworks(): Promise<string[]> {
  const ask = async (...args: string[]): Promise<unknown> =>
    JSON.parse(
      (await askProgram('ip', ['-json', '-4', ...args], { deadlineMs: 10_000, outputCapBytes: 32 << 20 })).stdout ||
        '[]',
    );
  const [links, routes] = await Promise.all([ask('address', 'show'), ask('route', 'show', 'table', 'all')]);
  return networksOf({ links, routes } as HostAddresses);
}

export function networksOf({ links, routes }: HostAddresses): string[] {
  const addresses = links.flatMap(({ addr_info: found = [] }) => found).filter(({ family }) => family === 'inet');
  const own = addresses.flatMap(({ local, address, prefixlen = 32 }) => [
    ...(local ? [`${local}/32`, `${local}/${prefixlen}`] : []),
    ...(address ? [`${address}/${prefixlen}`] : []),
  ]);
  const gateways = routes
    .flatMap(({ gateway, nexthops = [] }) => [gateway, ...nexthops.map((hop) => hop.gateway)])
    .flatMap((gateway) => (gateway ? [`${gateway}/32`] : []));
  const onLink = routes
    .filter(({ scope }) => scope === 'link' || scope === 'host')
    .flatMap(({ dst }) => (dst && dst !== 'default' ? [dst.includes('/') ? dst : `${dst}/32`] : []));
  return [...new Set([...own, ...gateways, ...onLink])].filter(isNetwork).sort();
}

/** Not the halves of the internet that a VPN routes to itself (0.0.0.0/1 and 128.0.0.0/1): those are its default route. */
function isNetwork(network: string): boolean {
  const [, length] = /^\d+\.\d+\.\d+\.\d+\/(\d+)$/.exec(network) ?? [];
  return length !== undefined && Number(length) >= 8 && Number(length) <= 32;
}
