import { StringDecoder } from 'node:string_decoder';

/** What has no newline yet waits, and no more of it than this. */
const longestLine = 16_384;

/** Text of bytes that come in pieces: a character may come in two (UTF-8). */
export function asText(take: (text: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  // Nothing is given back: runProgram takes what its reader gives back for a promise to wait for.
  return (chunk) => void take(decoder.write(chunk));
}

/** Lines of what a program prints, as a reader sees them; those that are too long lose their beginning. */
export function asLines(take: (line: string) => void): (chunk: Buffer) => void {
  let rest = '';
  return asText((text) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-longestLine);
    for (const line of lines) take(plainText(line));
  });
}

/**
 * Control sequences by their grammar (ECMA-48, 5.4 to 5.6): strings up to their end (titles, links), those that begin with CSI, and the rest
 * that begins with ESC; each also where its end was cut off. util.stripVTControlCharacters leaves titles with a space in them.
 */
const sequences =
  /(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?/g;
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]+/g;

/** A line as it would stand on a screen: without control sequences, and of what a carriage return wrote over only the last. */
export function plainText(line: string): string {
  const plain = line.replace(sequences, '').replace(/\r+$/, '');
  return plain.slice(plain.lastIndexOf('\r') + 1).replace(controls, '');
}
