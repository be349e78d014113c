import { Flag, OneOf, Part, Parts, Port, Text, Texts, Whole } from './field.decorators.js';
import {
  addressOrCidr,
  cidrAddress,
  domainName,
  hostLabel,
  interfaceMatch,
  interfaceName,
  ipAddress,
  ipv4Address,
  ipv6Address,
} from './text-rules.js';

export class RecipeInterface {
  @Text(interfaceName, 'Name of the interface, such as "enp1s0". Give this or match.') name?: string;
  @Text(interfaceMatch, 'Pattern of interface names, such as "en*". Give this or name.') match?: string;
  @Flag('Ask for an IPv4 address by DHCP.', false) dhcp4: boolean = false;
  @Flag('Ask for an IPv6 address by DHCP.', false) dhcp6: boolean = false;
  @Texts(cidrAddress, 'Fixed addresses with prefix length.', { maxItems: 64, default: [] }) addresses: string[] = [];
  @Text(ipv4Address, 'IPv4 gateway; it must lie in the network of one of the addresses.') gateway4?: string;
  @Text(ipv6Address, 'IPv6 gateway; link-local, or in the network of one of the addresses.') gateway6?: string;
  @Whole(68, 65_535, 'Largest packet in bytes.') mtu?: number;
}

export class RecipeDns {
  @Texts(ipAddress, 'Addresses of name servers.', { maxItems: 10, default: [] }) nameservers: string[] = [];
  @Texts(domainName, 'Domains tried for short names.', { maxItems: 10, default: [] }) search: string[] = [];
}

export class RecipeHostEntry {
  @Text(ipAddress, 'Address.', { required: true }) ip: string;
  @Texts(domainName, 'Names of that address in /etc/hosts.', { required: true, maxItems: 50 }) names: string[];
}

export class RecipeFirewallRule {
  @OneOf(['allow', 'deny'], 'What happens to the traffic.', { required: true }) action: 'allow' | 'deny';
  @OneOf(['tcp', 'udp'], 'Protocol.', { default: 'tcp' }) protocol: 'tcp' | 'udp' = 'tcp';
  @Port('Destination port.', { required: true }) port: number;
  @Text(addressOrCidr, 'Only traffic from this address or network; from anywhere without it.') source?: string;
}

export class RecipeFirewall {
  @OneOf(['allow', 'deny'], 'What happens to inbound traffic that no rule names.', { default: 'deny' }) default:
    'allow' | 'deny' = 'deny';
  @Parts(() => RecipeFirewallRule, 'Rules, first match wins. Ports of enabled services are open without a rule.', {
    maxItems: 200,
    default: [],
  })
  rules: RecipeFirewallRule[] = [];
}

export class RecipeNetworking {
  @Text(hostLabel, 'Host name; the name of the recipe without it.') hostname?: string;
  @Text(domainName, 'Domain of the host.') domain?: string;
  @Parts(() => RecipeInterface, 'Interfaces; DHCP on every wired interface without any.', { maxItems: 32, default: [] })
  interfaces: RecipeInterface[] = [];
  @Part(() => RecipeDns, 'Name resolution.') dns?: RecipeDns;
  @Parts(() => RecipeHostEntry, 'Lines of /etc/hosts.', { maxItems: 500, default: [] }) hosts: RecipeHostEntry[] = [];
  @Part(() => RecipeFirewall, 'Packet filter (nftables); adds the feature firewall.') firewall?: RecipeFirewall;
}
