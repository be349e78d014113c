import { StringDecoder } from 'node:string_decoder';

export type Stanza = Partial<Record<string, string>>;

/** Reads the stanzas of control data (deb-control(5)) as it comes, keeping only the wanted fields: a whole index is 60 MB of text. */
export class StanzaReader {
  private readonly decoder = new StringDecoder('utf8');
  private readonly wanted: Set<string>;
  private rest = '';

  constructor(
    fields: readonly string[],
    private readonly onStanza: (stanza: Stanza) => void,
  ) {
    this.wanted = new Set(fields);
  }

  push(chunk: Buffer): void {
    const text = this.rest + this.decoder.write(chunk);
    let from = 0;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n', from)) {
      this.read(text.slice(from, end));
      from = end + 2;
    }
    this.rest = text.slice(from);
  }

  end(): void {
    if (this.rest.trim()) this.read(this.rest);
    this.rest = '';
  }

  private read(text: string): void {
    const stanza: Stanza = {};
    for (const line of text.split('\n')) {
      const colon = line.indexOf(': ');
      // Continuation lines begin with a space; none of the wanted fields has any.
      if (colon > 0 && this.wanted.has(line.slice(0, colon)))
        stanza[line.slice(0, colon)] = line.slice(colon + 2).trim();
    }
    if (stanza.Package) this.onStanza(stanza);
  }
}

/** Names of relations that hold for every version: `a, b (<< 2)` as [a]. */
export function readUnversioned(field: string | undefined): string[] {
  if (!field) return [];
  return field.split(',').flatMap((relation) => /^\s*([a-z0-9][a-z0-9+.-]*)(:[a-z]+)?\s*$/.exec(relation)?.[1] ?? []);
}

/** `a (>= 1) | b, c:any` as [[a, b], [c]]. */
export function readRelations(field: string | undefined): string[][] {
  if (!field) return [];
  return field
    .split(',')
    .map((group) =>
      group
        .split('|')
        .map((alternative) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(alternative)?.[1] ?? '')
        .filter(Boolean),
    )
    .filter((group) => group.length > 0);
}
