import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 178 bits. */
const randomCharacters = 30;
/** 62^6 is more than a CRC-32 can be. */
const checksumCharacters = 6;
const shownCharacters = 12;
const shape = new RegExp(`^of_mcp_[0-9A-Za-z]{${randomCharacters + checksumCharacters}}$`);

/** What every key begins with, so that people, secret scanners and the factory know one when they see it. */
export const keyMark = 'of_mcp_';

/** `of_mcp_`, 30 random characters of base62, and 6 of a checksum over what stands before them. */
export function makeApiKey(): string {
  const random = Array.from({ length: randomCharacters }, () => alphabet[randomInt(alphabet.length)]).join('');
  return withChecksum(`${keyMark}${random}`);
}

/** Whether a text has the shape and the checksum of a key: a slip of the hand, or an invention, is found without asking anybody. */
export function isApiKey(text: string): boolean {
  return shape.test(text) && withChecksum(text.slice(0, -checksumCharacters)) === text;
}

/** What its owner still sees of a key after its making, to tell it from others. */
export const shownPrefix = (key: string): string => key.slice(0, shownCharacters);

function withChecksum(text: string): string {
  let rest = crc32(text);
  let checksum = '';
  while (checksum.length < checksumCharacters) {
    checksum = `${alphabet[rest % alphabet.length]}${checksum}`;
    rest = Math.floor(rest / alphabet.length);
  }
  return text + checksum;
}
