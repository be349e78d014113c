import ipaddr from 'ipaddr.js';
import { objects, part, text, texts } from '../draft.js';
import { reportDuplicates, type Rule } from './rule.js';

export const interfaceRules: Rule = ({ draft, findings }) => {
  const interfaces = objects(part(draft, 'networking'), 'interfaces', '/networking');
  reportDuplicates(
    interfaces.map(({ value, path }) => ({ key: text(value, 'name') ?? text(value, 'match'), path })),
    (path, name) => findings.error(path, 'duplicate_interface', `The interface ${name} is described twice.`),
  );
  for (const { value, path } of interfaces) {
    const given = ['name', 'match'].filter((key) => text(value, key) !== undefined);
    if (given.length !== 1) findings.error(path, 'interface_name', 'Give name or match, one of them.');
    const networks = texts(value, 'addresses', path).map((address) => address.value);
    for (const key of ['gateway4', 'gateway6'] as const) {
      const gateway = text(value, key);
      if (gateway !== undefined && !reachable(gateway, networks)) findings.error(`${path}/${key}`, 'gateway_unreachable', `The gateway ${gateway} lies in the network of none of the interface's addresses.`);
    }
  }
};

/** A gateway must be on the link (link-local IPv6 always is). Malformed addresses are told elsewhere. */
function reachable(gateway: string, networks: string[]): boolean {
  if (!ipaddr.isValid(gateway)) return true;
  const address = ipaddr.parse(gateway);
  if (address.range() === 'linkLocal') return true;
  return networks.some((network) => ipaddr.isValidCIDR(network) && inNetwork(address, network));
}

export function inNetwork(address: ipaddr.IPv4 | ipaddr.IPv6, network: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(network);
  return base.kind() === address.kind() && address.match([base, bits] as never);
}
