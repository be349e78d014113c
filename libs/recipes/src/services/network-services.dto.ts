import { Flag, OneOf, Parts, Port, Text, Texts, Whole } from '../schema/field.decorators.js';
import {
  addressOrCidr,
  cidrAddress,
  domainName,
  hostOrAddress,
  interfaceName,
  ipAddress,
  ipv4Address,
} from '../schema/text-rules.js';
import { endpoint, wireguardKey, wireguardKeyFile } from './service-rules.js';

export class SshServiceConfig {
  @Port('Port to listen on.', { default: 22 }) port: number = 22;
  @Flag('root may log in (with a key only, unless password logins are allowed).', false) allow_root: boolean = false;
  @Flag('Keys only.', false) disable_password_auth: boolean = false;
  @Whole(0, 86_400, 'Seconds of silence after which the server asks whether the client is alive; 0 never asks.', {
    default: 60,
  })
  client_alive_interval: number = 60;
  @Whole(1, 100, 'Failed attempts before the connection is closed.', { default: 6 }) max_auth_tries: number = 6;
  @Flag('Accounts with an empty password may log in.', false) permit_empty_passwords: boolean = false;
  @Whole(1, 3600, 'Seconds that a client has to log in (LoginGraceTime).') timeout?: number;
}

export class FirewallServiceRule {
  @OneOf(['allow', 'deny'], 'What happens to the traffic.', { required: true }) action: 'allow' | 'deny';
  @OneOf(['tcp', 'udp'], 'Protocol.', { default: 'tcp' }) protocol: 'tcp' | 'udp' = 'tcp';
  @Port('Destination port.', { required: true }) port: number;
  @Text(addressOrCidr, 'Only traffic from this address or network.') source?: string;
}

export class FirewallServiceConfig {
  @OneOf(['allow', 'deny'], 'Inbound traffic that no rule names.', { default: 'deny' }) default: 'allow' | 'deny' =
    'deny';
  @Flag('Answer ICMP echo requests.', true) allow_ping: boolean = true;
  @Parts(() => FirewallServiceRule, 'Rules, first match wins.', { maxItems: 200, default: [] })
  rules: FirewallServiceRule[] = [];
}

export class NtpServiceConfig {
  @Texts(hostOrAddress, 'Time servers; the pool of the distribution without any.', { maxItems: 20, default: [] })
  servers: string[] = [];
  @Texts(cidrAddress, 'Networks that this host serves time to.', { maxItems: 50, default: [] }) allow: string[] = [];
}

export class DnsServiceConfig {
  @Texts(ipAddress, 'Servers that queries are forwarded to; resolves by itself without any.', {
    maxItems: 20,
    default: [],
  })
  forwarders: string[] = [];
  @Text(domainName, 'Domain that this server answers for: its own name, and the names of networking.hosts.')
  local_domain?: string;
  @Whole(1, 10_000, 'Largest cache in MiB.', { default: 90 }) cache_size: number = 90;
  @Texts(cidrAddress, 'Networks that may ask; those that this host is in without any.', { maxItems: 50, default: [] })
  allow_query: string[] = [];
}

export class DhcpServiceConfig {
  @Text(cidrAddress, 'Network that addresses are given in, such as "192.0.2.0/24".', { required: true }) subnet: string;
  @Text(ipv4Address, 'First address given.', { required: true }) range_start: string;
  @Text(ipv4Address, 'Last address given.', { required: true }) range_end: string;
  @Text(ipv4Address, 'Gateway told to clients.') gateway?: string;
  @Texts(ipv4Address, 'Name servers told to clients.', { maxItems: 10, default: [] }) dns: string[] = [];
  @Text(interfaceName, 'Interface to serve; every one in the subnet without it.') interface?: string;
  @Whole(60, 31_536_000, 'Seconds that an address is given for.', { default: 86_400 }) lease_seconds: number = 86_400;
}

export class VpnServicePeer {
  @Text(wireguardKey, 'Public key of the peer.', { required: true }) public_key: string;
  @Texts(cidrAddress, 'Networks reached through the peer.', { required: true, maxItems: 100 }) allowed_ips: string[];
  @Text(endpoint, 'host:port of the peer, if it has a fixed one.') endpoint?: string;
  @Whole(0, 65_535, 'Seconds between keep-alive packets; 0 sends none.', { default: 0 }) persistent_keepalive: number =
    0;
}

export class VpnServiceConfig {
  @OneOf(['wireguard'], 'Kind of VPN.', { default: 'wireguard' }) type: string = 'wireguard';
  @Port('UDP port to listen on.', { default: 51_820 }) listen_port: number = 51_820;
  @Texts(cidrAddress, 'Addresses of this host inside the VPN.', { maxItems: 10, default: [] }) addresses: string[] = [];
  @Text(
    wireguardKeyFile,
    'Where the machine keeps its private key; made at the first boot if no file of the recipe is there.',
    { default: '/etc/wireguard/private.key' },
  )
  private_key_file: string = '/etc/wireguard/private.key';
  @Parts(() => VpnServicePeer, 'Peers.', { maxItems: 200, default: [] }) peers: VpnServicePeer[] = [];
}
