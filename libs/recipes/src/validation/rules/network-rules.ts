import ipaddr from 'ipaddr.js';
import { objects, part, text, texts, whole, type Draft, type Placed } from '../draft.js';
import type { Findings } from '../findings.js';
import { reportDuplicates, type Rule } from './rule.js';

/** RFC 8200, 5: on a link with less there is no IPv6. */
const leastMtuOfIpv6 = 1280;

export const interfaceRules: Rule = ({ draft, findings }) => {
  const interfaces = objects(part(draft, 'networking'), 'interfaces', '/networking');
  reportDuplicates(
    interfaces.map(({ value, path }) => ({ key: text(value, 'name') ?? text(value, 'match'), path })),
    (path, name) => findings.error(path, 'duplicate_interface', `The interface ${name} is described twice.`),
  );
  // Not by the text of the schema's own rule: the same address may have another prefix, another spelling, or another interface.
  reportDuplicates(
    interfaces
      .flatMap(({ value, path }) => texts(value, 'addresses', path))
      .map(({ value, path }) => ({ key: addressOf(value)?.toNormalizedString(), path })),
    (path, address) => findings.error(path, 'duplicate_address', `The address ${address} is given twice.`),
  );
  for (const one of interfaces) interfaceRule(one, findings);
};

function interfaceRule({ value, path }: Placed<Draft>, findings: Findings): void {
  const given = ['name', 'match'].filter((key) => text(value, key) !== undefined);
  if (given.length !== 1) findings.error(path, 'interface_name', 'Give name or match, one of them.');
  const addresses = texts(value, 'addresses', path);
  for (const address of addresses) {
    const why = whyUnusable(address.value);
    if (why !== undefined) findings.error(address.path, 'unusable_address', `${address.value} ${why}.`);
  }
  for (const key of ['gateway4', 'gateway6'] as const) {
    const gateway = text(value, key);
    if (gateway === undefined || !ipaddr.isValid(gateway)) continue;
    if (
      !reachable(
        gateway,
        addresses.map((address) => address.value),
      )
    )
      findings.error(
        `${path}/${key}`,
        'gateway_unreachable',
        `The gateway ${gateway} lies in the network of none of the interface's addresses.`,
      );
    const normal = ipaddr.parse(gateway).toNormalizedString();
    if (addresses.some((address) => addressOf(address.value)?.toNormalizedString() === normal))
      findings.error(
        `${path}/${key}`,
        'gateway_itself',
        `The gateway ${gateway} is an address of this interface itself.`,
      );
  }
  const mtu = whole(value, 'mtu');
  const hasIpv6 =
    value.dhcp6 === true ||
    text(value, 'gateway6') !== undefined ||
    addresses.some((address) => addressOf(address.value)?.kind() === 'ipv6');
  if (mtu !== undefined && mtu < leastMtuOfIpv6 && hasIpv6)
    findings.error(
      `${path}/mtu`,
      'mtu_too_small',
      `IPv6 needs an MTU of at least ${leastMtuOfIpv6}; with ${mtu} the interface has none.`,
      String(leastMtuOfIpv6),
    );
  if (addresses.length === 0 && value.dhcp4 !== true && value.dhcp6 !== true)
    findings.warn(
      path,
      'interface_without_address',
      'This interface has no address and asks for none; give addresses, dhcp4 or dhcp6.',
    );
}

/** What the host is called. systemd takes "localhost" for no name; a name in /etc/hosts is at most 253 characters long. */
export const hostNameRules: Rule = ({ draft, findings }) => {
  const networking = part(draft, 'networking');
  const hostname = text(networking, 'hostname') ?? text(draft, 'name') ?? '';
  const path = Object.hasOwn(networking, 'hostname') ? '/networking/hostname' : '/name';
  const domain = text(networking, 'domain');
  if (/^localhost$/i.test(hostname))
    findings.error(
      path,
      'hostname',
      'localhost is what every machine calls itself; give another name in networking.hostname.',
    );
  if (domain !== undefined && hostname.length + 1 + domain.length > 253)
    findings.error(
      '/networking/domain',
      'hostname_too_long',
      `Host name and domain have ${hostname.length + 1 + domain.length} characters together; at most 253 are a name.`,
    );
  if (/^\d+$/.test(domain?.split('.').at(-1) ?? ''))
    findings.error('/networking/domain', 'domain_name', 'The last part of a domain cannot be a number.');
};

function addressOf(cidr: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const [address = ''] = cidr.split('/');
  return ipaddr.isValidCIDR(cidr) ? ipaddr.parse(address) : undefined;
}

/** Addresses that no interface can have. Malformed ones are told elsewhere. */
function whyUnusable(cidr: string): string | undefined {
  const address = addressOf(cidr);
  if (!address) return undefined;
  const range = address.range();
  if (range === 'multicast' || range === 'unspecified' || range === 'loopback' || range === 'broadcast')
    return `is no address of an interface (${range})`;
  const bits = Number(cidr.split('/')[1]);
  if (address.kind() !== 'ipv4' || bits > 30) return undefined;
  const same = (other: ipaddr.IPv4) => other.toString() === address.toString();
  if (same(ipaddr.IPv4.networkAddressFromCIDR(cidr)))
    return 'is the address of the network itself, not of a machine in it';
  if (same(ipaddr.IPv4.broadcastAddressFromCIDR(cidr))) return 'is the broadcast address of its network';
  return undefined;
}

/** A gateway must be on the link (link-local IPv6 always is). */
function reachable(gateway: string, networks: string[]): boolean {
  const address = ipaddr.parse(gateway);
  if (address.range() === 'linkLocal' && address.kind() === 'ipv6') return true;
  return networks.some((network) => ipaddr.isValidCIDR(network) && inNetwork(address, network));
}

export function inNetwork(address: ipaddr.IPv4 | ipaddr.IPv6, network: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(network);
  return base.kind() === address.kind() && address.match([base, bits] as never);
}
