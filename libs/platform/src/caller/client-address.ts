import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';
import { AppError, invalid } from '../errors/app-error.js';
import { sentHeader } from '../http/sent-header.js';

/** Headers by which proxies say for whom they forward, or that they do. Only X-Forwarded-For is read; the others only betray an unconfigured proxy. */
const forwardingHeaders = new Set([
  ...[
    'x-forwarded-for',
    'forwarded',
    'via',
    'x-real-ip',
    'true-client-ip',
    'x-client-ip',
    'client-ip',
    'x-cluster-client-ip',
    'x-original-forwarded-for',
    'x-forwarded',
  ],
  ...[
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-forwarded-server',
    'x-forwarded-by',
    'x-forwarded-client-cert',
    'x-forwarded-prefix',
    'x-forwarded-uri',
    'x-original-url',
  ],
  ...[
    'cf-connecting-ip',
    'cf-connecting-ipv6',
    'cf-ray',
    'fastly-client-ip',
    'x-envoy-external-address',
    'x-azure-clientip',
    'x-appengine-user-ip',
    'x-proxyuser-ip',
    'fly-client-ip',
  ],
]);

/**
 * One spelling per client: IPv4-mapped IPv6 becomes IPv4 (RFC 4291, 2.5.5.2), IPv6 is cut to its /64 because one
 * customer usually holds a whole /64 (RFC 6177), and both loopbacks are the same machine.
 */
export function normaliseAddress(text: string): string {
  const zoneless = text.split('%', 1)[0] ?? '';
  if (!ipaddr.isValid(zoneless)) throw invalid('invalid_address', `"${text}" is not an IP address.`);
  const parsed = ipaddr.process(zoneless);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  if (parsed.range() === 'loopback') return '127.0.0.1';
  const prefix = (parsed as ipaddr.IPv6).parts.slice(0, 4).concat(0, 0, 0, 0);
  return `${new ipaddr.IPv6(prefix).toString()}/64`;
}

/**
 * Finds the client's address of a request. Addresses named by forwarding headers count only behind the proxies in
 * OPENFACTORY_TRUST_PROXY; from anybody else such a header means a proxy nobody configured, and pooling all its users
 * under one address would mix strangers' work, so the request is refused.
 */
export class ClientAddressReader {
  private readonly trusts: (address: string, hop: number) => boolean;
  private readonly bySpelling = new Map<string, string>();

  constructor(trustedProxies: string[]) {
    this.trusts = trustedProxies.length ? proxyAddr.compile(trustedProxies) : () => false;
  }

  read(request: IncomingMessage): string {
    const peer = request.socket.remoteAddress;
    if (!peer)
      throw new AppError({ kind: 'unavailable', reason: 'connection_closed', message: 'The connection was closed.' });
    const forwarded = sentHeader(request, forwardingHeaders);
    if (!forwarded) return this.normalise(peer);
    if (this.trusts(this.normalisePeer(peer), 0)) {
      if (request.headers['x-forwarded-for'] !== undefined) return this.forwardedFor(request);
      throw unreadableForwarding(forwarded);
    }
    throw new AppError({
      kind: 'forbidden',
      reason: 'proxy_not_configured',
      message: `The request carries "${forwarded}" but comes from ${this.normalise(peer)}, which is not a trusted proxy, so its anonymous sender cannot be told from others.`,
      hint: `Add the proxy's address to OPENFACTORY_TRUST_PROXY and restart, or use an API key.`,
    });
  }

  /** Whether it was sent on this machine, as far as can be told: what came through a proxy that is not trusted was not. */
  isLocal(request: IncomingMessage): boolean {
    try {
      return /^127\./.test(this.read(request));
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  /** For those who have credentials: behind an unknown proxy it is the proxy's address, and never a reason to refuse. */
  readPeer(request: IncomingMessage): string {
    try {
      return this.read(request);
    } catch (error) {
      if (error instanceof AppError && error.kind !== 'unavailable')
        return this.normalise(request.socket.remoteAddress ?? '0.0.0.0');
      throw error;
    }
  }

  private forwardedFor(request: IncomingMessage): string {
    const client = proxyAddr(request, this.trusts);
    if (client && ipaddr.isValid(client)) return this.normalise(client);
    throw invalid(
      'invalid_forwarded_for',
      'The X-Forwarded-For header does not hold IP addresses.',
      'The proxy must append the plain client address without a port.',
    );
  }

  /** proxy-addr matches IPv4-mapped peers against IPv4 ranges by itself, but not scoped IPv6 spellings. */
  private normalisePeer(peer: string): string {
    return peer.split('%', 1)[0] ?? peer;
  }

  private normalise(spelling: string): string {
    const known = this.bySpelling.get(spelling);
    if (known) return known;
    const address = normaliseAddress(spelling);
    if (this.bySpelling.size >= 10_000) this.bySpelling.clear();
    this.bySpelling.set(spelling, address);
    return address;
  }
}

function unreadableForwarding(header: string): AppError {
  return new AppError({
    kind: 'forbidden',
    reason: 'proxy_not_configured',
    message: `The trusted proxy sent "${header}" but no X-Forwarded-For, which is the only forwarding header that is read.`,
    hint: 'Let the proxy set X-Forwarded-For (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for).',
  });
}
