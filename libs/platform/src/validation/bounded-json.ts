import { AppError } from '../errors/app-error.js';

/** So many values (fields of objects, entries of lists) no input has that is meant. Each costs every walk over it, and JSON.parse most of all. */
export const mostValues = 20_000;

const [quote, comma, bracket, backslash, brace] = [0x22, 0x2c, 0x5b, 0x5c, 0x7b];

/**
 * JSON.parse for what strangers send: what holds too many values is refused before anything is made of it.
 * @throws SyntaxError, AppError `too_many_values`
 */
export function parseJson(text: string): unknown {
  if (holdsMoreValues(text, mostValues))
    throw new AppError({
      kind: 'too_large',
      reason: 'too_many_values',
      message: `The JSON holds more than ${mostValues} values.`,
      hint: 'Send less at once.',
    });
  return JSON.parse(text) as unknown;
}

/** By its commas and brackets: each value stands behind one of them. Ends at the first that is too many. */
export function holdsMoreValues(text: string, most: number): boolean {
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at);
    else if ((code === comma || code === bracket || code === brace) && ++values > most) return true;
  }
  return false;
}

/** The place of the quote that ends it: one with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}
