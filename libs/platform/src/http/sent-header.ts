import type { IncomingMessage } from 'node:http';

/** The first of a request's headers that is one of `names` (in lower case). One pass over what was sent: lists of names are longer than that. */
export function sentHeader({ headers }: IncomingMessage, names: ReadonlySet<string>): string | undefined {
  for (const name in headers) if (names.has(name) && headers[name] !== undefined) return name;
  return undefined;
}
