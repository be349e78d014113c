import ipaddr from 'ipaddr.js';

/** What a text of the recipe must look like. `code` and the words after "must" are what a caller reads; `schema` is the same in JSON Schema. */
export interface TextRule {
  code: string;
  must: string;
  test: (text: string) => boolean;
  schema: Record<string, unknown>;
}

const matching = (code: string, must: string, pattern: RegExp, maxLength: number): TextRule => ({
  code,
  must,
  test: (text) => text.length <= maxLength && pattern.test(text),
  schema: { pattern: pattern.source, maxLength },
});

const checked = (
  code: string,
  must: string,
  maxLength: number,
  test: (text: string) => boolean,
  schema = {},
): TextRule => ({
  code,
  must,
  test: (text) => text.length <= maxLength && test(text),
  schema: { maxLength, ...schema },
});

const hasControl = (text: string) => /[\u0000-\u001f\u007f]/.test(text);
const isAddress = (text: string) =>
  ipaddr.isValid(text) && (ipaddr.IPv6.isValid(text) || ipaddr.IPv4.isValidFourPartDecimal(text));
const isCidr = (text: string) =>
  /\/\d{1,3}$/.test(text) && isAddress(text.slice(0, text.lastIndexOf('/'))) && ipaddr.isValidCIDR(text);
const isIpv4 = (text: string) => ipaddr.IPv4.isValidFourPartDecimal(text);
const isIpv6 = (text: string) => ipaddr.IPv6.isValid(text) && !text.includes('%');

export const recipeName = matching(
  'recipeName',
  'be 1 to 63 lower-case letters, digits and dashes, starting and ending with a letter or digit',
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  63,
);

/** Ids of the catalogues. */
export const catalogueId = matching(
  'catalogueId',
  'be an id of lower-case letters, digits, dots and dashes',
  /^[a-z0-9][a-z0-9.-]*$/,
  64,
);

/** Debian Policy 5.6.1 (names) and 5.6.12 (versions); at least two characters, as the policy says. */
export const packageName = matching(
  'packageName',
  'be a Debian package name such as "curl"',
  /^[a-z0-9][a-z0-9+.-]+$/,
  128,
);
export const packageSpec = matching(
  'packageSpec',
  'be a Debian package name, or name=version',
  /^[a-z0-9][a-z0-9+.-]+(=[0-9A-Za-z][0-9A-Za-z.+:~-]*)?$/,
  256,
);

const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
/** RFC 1123, 2.1. */
export const hostLabel = matching(
  'hostname',
  'be one host name label: letters, digits and dashes (RFC 1123), at most 63',
  new RegExp(`^${label}$`),
  63,
);
export const domainName = matching(
  'domainName',
  'be a domain name such as "example.org"',
  new RegExp(`^${label}(\\.${label})*$`),
  253,
);
export const hostOrAddress = checked(
  'hostOrAddress',
  'be a host name or an IP address',
  253,
  (text) => domainName.test(text) || isAddress(text),
);
/** The kernel's limit (IFNAMSIZ) and what networkd takes in a match. */
export const interfaceName = matching(
  'interfaceName',
  'be an interface name of at most 15 characters',
  /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}$/,
  15,
);
export const interfaceMatch = matching(
  'interfaceMatch',
  'be a pattern of interface names such as "en*"',
  /^[A-Za-z0-9*?][A-Za-z0-9_.:*?[\]-]{0,31}$/,
  32,
);

export const ipAddress = checked('ipAddress', 'be an IPv4 or IPv6 address', 45, isAddress);
export const ipv4Address = checked('ipv4Address', 'be an IPv4 address', 15, isIpv4, { format: 'ipv4' });
export const ipv6Address = checked('ipv6Address', 'be an IPv6 address', 45, isIpv6, { format: 'ipv6' });
export const cidrAddress = checked(
  'cidrAddress',
  'be an address with its prefix length, such as "192.0.2.10/24"',
  49,
  isCidr,
);
export const addressOrCidr = checked(
  'addressOrCidr',
  'be an address or a network such as "192.0.2.0/24"',
  49,
  (text) => isAddress(text) || isCidr(text),
);

/** What a recipe makes: Debian's adduser default (NAME_REGEX). */
export const accountName = matching(
  'accountName',
  'be a user or group name: lower-case letters, digits, dash, underscore, at most 32',
  /^[a-z_][a-z0-9_-]{0,31}$/,
  32,
);
/** What is there already may have been made by a package, which Debian Policy (9.2.1) has take names such as Debian-exim. */
export const anyAccountName = matching(
  'anyAccountName',
  'be the name of a user or group: letters, digits, dots, dashes and underscores, at most 32',
  /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/,
  32,
);
export const octalMode = matching('octalMode', 'be an octal mode as a string, such as "0644"', /^[0-7]{3,4}$/, 4);
/** NAME_MAX of Linux. */
const isFileName = (name: string) => name !== '.' && name !== '..' && Buffer.byteLength(name) <= 255;
export const absolutePath = checked(
  'absolutePath',
  'be an absolute path without "..", empty segments, names of more than 255 bytes or control characters',
  1024,
  (text) =>
    text.startsWith('/') &&
    !hasControl(text) &&
    !text
      .slice(1)
      .split('/')
      .some((segment, at, all) => !isFileName(segment) || (segment === '' && at < all.length - 1)) &&
    text !== '/',
  { pattern: '^/' },
);

/** A public key as in authorized_keys (sshd(8)), without options: they could run a command. */
export const sshKey = matching(
  'sshKey',
  'be one line of an OpenSSH public key, such as "ssh-ed25519 AAAA… comment"',
  /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) AAAA[A-Za-z0-9+/]{40,}={0,3}( [^\r\n\u0000]{0,256})?$/,
  16_384,
);
/** crypt(5): yescrypt, sha512crypt, sha256crypt, or a lock. Older methods are refused. */
export const passwordHash = matching(
  'passwordHash',
  'be a crypt(5) hash that starts with $y$, $6$ or $5$, or "!" or "*" for no password',
  /^(!|\*|!?\$(y|5|6)\$[./A-Za-z0-9=,$-]{8,400})$/,
  512,
);
export const plainPassword = checked(
  'plainPassword',
  'be 1 to 256 characters on one line',
  256,
  (text) => text.length > 0 && !hasControl(text),
);

export const httpsUrl = checked(
  'httpsUrl',
  'be an https URL without user name or password',
  2048,
  (text) => {
    if (hasControl(text) || /\s/.test(text) || !URL.canParse(text)) return false;
    const url = new URL(text);
    return url.protocol === 'https:' && !url.username && !url.password;
  },
  { pattern: '^https://' },
);
export const gitRef = matching('gitRef', 'be a branch or tag name', /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/, 200);
export const suiteName = matching(
  'suiteName',
  'be the name of a suite, such as "stable"',
  /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
  128,
);
export const componentName = matching(
  'componentName',
  'be the name of a component, such as "main"',
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  64,
);

/** The shape; whether the base knows it is asked of its list (settle-system.ts). */
export const localeName = matching(
  'localeName',
  'be a locale such as "C.UTF-8" or "de_DE.UTF-8"',
  /^[A-Za-z]{1,8}(_[A-Za-z]{2,3})?(\.[A-Za-z0-9-]{1,16})?(@[a-z]{1,16})?$/,
  32,
);
export const keyboardLayout = matching(
  'keyboardLayout',
  'be an XKB layout such as "us" or "de"',
  /^[a-z]{2,8}(\([A-Za-z0-9_-]{1,32}\))?$/,
  42,
);
export const kernelArgument = matching(
  'kernelArgument',
  'be one kernel argument of at most 255 characters, without spaces or control characters',
  /^[A-Za-z0-9][\x21-\x7e]{0,254}$/,
  255,
);
export const timezone = matching(
  'timezone',
  'be a time zone such as "Europe/Berlin"',
  /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/,
  64,
);
export const screenSize = matching(
  'screenSize',
  'be a screen size such as "1920x1080"',
  /^[1-9]\d{2,3}x[1-9]\d{2,3}$/,
  9,
);
export const oneLine = checked('oneLine', 'be one line of text', 256, (text) => !hasControl(text));
/** Only the length is bounded; set by the field. */
export const anyText: TextRule = {
  code: 'text',
  must: 'be text without NUL characters',
  test: (text) => !text.includes('\u0000'),
  schema: {},
};
/** Length is also what the sum of all files may have, so it is checked there. */
export const base64 = checked(
  'base64',
  'be base64',
  1_500_000,
  (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
  { contentEncoding: 'base64' },
);
