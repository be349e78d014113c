import { randomBytes } from 'node:crypto';

/** A host name's label (RFC 1123, 2.1), in lower case. */
export const vmNamePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const vmNameRule = 'must be 1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit';

/** Names that the factory gives to VMs of its own. */
export const reservedPrefix = 'of-';
export const isReserved = (name: string): boolean => name.startsWith(reservedPrefix);

const mostOfBuild = 50;

/** A name for a VM that was given none: that of its build, and something to tell it from its sisters. */
export function generateName(buildName: string, suffix: string = randomBytes(3).toString('hex')): string {
  const plain = buildName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, mostOfBuild)
    .replaceAll(/^-+|-+$/g, '');
  const start = plain && !isReserved(`${plain}-`) ? plain : 'vm';
  return `${start}-${suffix}`;
}
