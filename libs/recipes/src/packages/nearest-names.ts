import { setImmediate as turn } from 'node:timers/promises';
import { distance } from 'fastest-levenshtein';

export const mostNamesCompared = 20;
/** For all names of one call together; a comparison of long names takes about a microsecond. */
export const mostComparisons = 40_000;
const comparisonsPerTurn = 5_000;
const mostExtensions = 50;

type Compare = (one: string, other: string) => number;

/** The known names by length, and within one length by their first character: those that a slip is most likely to have come from are compared first. */
export class NameShelves {
  readonly sorted: readonly string[];
  readonly #byLength = new Map<number, Map<string, string[]>>();

  constructor(names: readonly string[]) {
    this.sorted = [...names].sort();
    for (const name of this.sorted) {
      const group = this.#byLength.get(name.length) ?? new Map<string, string[]>();
      this.#byLength.set(name.length, group);
      const first = name[0] ?? '';
      const book = group.get(first);
      if (book) book.push(name);
      else group.set(first, [name]);
    }
  }

  /** Names whose length differs by no more than `furthest`: first those that begin alike, the nearest lengths before others. */
  *around(name: string, furthest: number): Generator<readonly string[]> {
    const first = name[0] ?? '';
    const groups = Array.from({ length: furthest + 1 }, (_, away) =>
      away ? [name.length - away, name.length + away] : [name.length],
    )
      .flat()
      .flatMap((length) => this.#byLength.get(length) ?? []);
    for (const group of groups) yield group.get(first) ?? [];
    for (const group of groups) for (const [letter, names] of group) if (letter !== first) yield names;
  }

  /** Names that begin with it. */
  beginningWith(start: string): string[] {
    let from = 0;
    for (let until = this.sorted.length; from < until;) {
      const middle = (from + until) >>> 1;
      if ((this.sorted[middle] ?? '') < start) from = middle + 1;
      else until = middle;
    }
    const found: string[] = [];
    for (let at = from; found.length < mostExtensions && this.sorted[at]?.startsWith(start); at++)
      found.push(this.sorted[at] ?? '');
    return found;
  }
}

/**
 * The known names nearest to each of a few names. A base has 60,000 of them: the names share one budget of comparisons, which one alone may use whole, and
 * the event loop gets a turn after every few thousand.
 */
export async function nearestNames(
  groups: NameShelves,
  names: readonly string[],
  { limit = 3, compare = distance }: { limit?: number; compare?: Compare } = {},
): Promise<Map<string, string[]>> {
  const asked = names.slice(0, mostNamesCompared);
  const nearest = new Map<string, string[]>();
  for (const name of asked)
    nearest.set(
      name,
      await nearestTo(groups, name.slice(0, 64), {
        limit,
        compare,
        budget: Math.floor(mostComparisons / asked.length),
      }),
    );
  return nearest;
}

async function nearestTo(
  groups: NameShelves,
  name: string,
  { limit, compare, budget }: { limit: number; compare: Compare; budget: number },
): Promise<string[]> {
  const furthest = Math.max(2, Math.floor(name.length / 3));
  const candidates: { name: string; away: number }[] = [];
  let compared = 0;
  for (const others of groups.around(name, furthest)) {
    if (compared >= budget) break;
    for (const other of others.slice(0, budget - compared)) {
      const away = compare(name, other);
      if (away <= furthest) candidates.push({ name: other, away });
      if (++compared % comparisonsPerTurn === 0) await turn();
    }
  }
  // Spelling slips come first; then names that begin with what was asked for ("postgres" means "postgresql").
  const extended = candidates.length < limit ? groups.beginningWith(name) : [];
  const ranked = [
    ...candidates,
    ...extended.map((other) => ({ name: other, away: furthest + other.length - name.length })),
  ];
  ranked.sort(
    (a, b) =>
      a.away - b.away ||
      Math.abs(a.name.length - name.length) - Math.abs(b.name.length - name.length) ||
      (a.name < b.name ? -1 : 1),
  );
  return [...new Set(ranked.map((candidate) => candidate.name))].slice(0, limit);
}
