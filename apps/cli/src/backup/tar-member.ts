const blockBytes = 512;

/** What ends a tar archive: two empty blocks. */
export const tarEndBytes = 2 * blockBytes;

/** One small regular file in the ustar format (pax(1), "ustar Interchange Format"), owned by root and readable by its owner only. */
export function tarMember(name: string, content: Buffer, modifiedAt = new Date()): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, offset: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is too long for a ustar header`);
  header.write(name, 0);
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(Math.floor(modifiedAt.getTime() / 1000), 136, 12);
  header.write('        ', 148, 'latin1'); // The checksum is taken over blanks in its own place.
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  const padding = Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes);
  return Buffer.concat([header, content, padding]);
}
