const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Far more than the factory takes, so that what is too long for it still has its id read and its answer. */
export const longestLineBytes = 64 * 1024 * 1024;

/**
 * Lines of a stream of bytes as the stdio transport frames them (MCP 2025-11-25, Transports, stdio): a message ends with a newline and with
 * nothing else, so neither a carriage return nor a U+2028 in a string does; a character may come in two pieces. The return of a CRLF, which
 * JSON takes for a space, and a byte order mark at the start are no part of a message.
 * @yields null for a line that was too long to be kept
 */
export async function* messageLines(
  input: AsyncIterable<Buffer | string>,
  longest = longestLineBytes,
): AsyncGenerator<string | null> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let first = true;
  const take = (): string | null => {
    const line = bytes > longest ? null : Buffer.concat(pieces);
    [pieces, bytes] = [[], 0];
    const start = first && line?.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
    first = false;
    return line && line.toString('utf8', start).replace(/\r$/, '');
  };
  for await (const chunk of input) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      add(rest.subarray(0, end));
      yield take();
      rest = rest.subarray(end + 1);
    }
    add(rest);
  }
  if (bytes) yield take();

  function add(piece: Buffer): void {
    bytes += piece.length;
    if (bytes > longest) pieces = [];
    else if (piece.length) pieces.push(piece);
  }
}

const separators = /[\u0085\u2028\u2029]/g;
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * JSON on one line, whatever reads it: outside of strings a line end is only space, inside there is none (RFC 8259, 7), and the characters
 * that some readers take for line ends are written as escapes.
 */
export function oneLine(json: string): string {
  return json
    .replace(/[\r\n]+/g, ' ')
    .replace(separators, escaped)
    .trim();
}
