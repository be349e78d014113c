import { specialNetworks } from './closed-networks.js';

/** The tunnel in the guest's network, and what slirp4netns(1) has at its other end by default: 10.0.2.0/24, its DNS forwarder at .3. */
export const tunnel = { name: 'tap0', dns: '10.0.2.3' } as const;

/**
 * The rules of a guest's network (nft(8)), where its sockets are, on their way to the tunnel. What is closed is refused, not swallowed: a program
 * in the guest fails at once. The refusal comes to the socket over the loopback, which nothing else may use. A datagram is seen whole, before it is
 * cut into fragments; a raw fragment has no port, so none passes for DNS.
 *
 * The forwarder asks the host's resolver, which may know names of the host's own networks: names, not their addresses, come through.
 */
export function egressRules(hostNetworks: readonly string[]): string {
  const closed = [...new Set([...specialNetworks, ...hostNetworks])];
  return `table inet egress {
  set closed {
    type ipv4_addr
    flags interval
    auto-merge
    elements = { ${closed.join(', ')} }
  }
  chain output {
    type filter hook output priority filter; policy drop;
    oifname "lo" icmp type destination-unreachable accept
    oifname != "${tunnel.name}" drop
    ip daddr ${tunnel.dns} udp dport 53 accept
    ip daddr ${tunnel.dns} tcp dport 53 accept
    ip daddr @closed reject with icmp type admin-prohibited
    ip protocol { tcp, udp } accept
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" icmp type destination-unreachable accept
    iifname "${tunnel.name}" ct state established accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
}
`;
}
