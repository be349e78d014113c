import ipaddr from 'ipaddr.js';
import type { TextRule } from './text-rules.js';

/** Names that mean this machine or its network wherever they are looked up (RFC 6761, RFC 6762, RFC 8375). */
const innerNames = /(^|\.)(localhost|localdomain|local|internal|intranet|lan|home|corp|home\.arpa)$/;

function isPublicHost(hostname: string): boolean {
  const host = hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  // URL has already turned 127.1, 0x7f000001 and the like into four decimal parts. `process` unwraps ::ffff:a.b.c.d.
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === 'unicast';
  return host.includes('.') && !innerNames.test(host);
}

/** A repository fetched by the factory must not be a way into the factory's own network. The address that the name resolves to is checked again at the fetch. */
export const repositoryUri: TextRule = {
  code: 'repositoryUri',
  must: 'be an http or https URL of a public host, without user name or password',
  test: (text) => {
    if (text.length > 2048 || /[\s\u0000-\u001f]/.test(text) || !URL.canParse(text)) return false;
    const { protocol, hostname, username, password, search, hash } = new URL(text);
    return (
      (protocol === 'http:' || protocol === 'https:') &&
      !username &&
      !password &&
      !search &&
      !hash &&
      isPublicHost(hostname)
    );
  },
  schema: { pattern: '^https?://', maxLength: 2048 },
};
