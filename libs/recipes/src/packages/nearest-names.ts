import { setImmediate as turn } from 'node:timers/promises';
import { distance } from 'fastest-levenshtein';

export const mostNamesCompared = 20;

/**
 * The known names nearest to each of a few names. A base has 60,000 of them, so the event loop gets a turn after every few thousand
 * comparisons.
 */
export async function nearestNames(known: readonly string[], names: readonly string[], limit = 3): Promise<Map<string, string[]>> {
  const nearest = new Map<string, string[]>();
  for (const name of names.slice(0, mostNamesCompared)) nearest.set(name, await nearestTo(known, name.slice(0, 64), limit));
  return nearest;
}

const comparisonsPerTurn = 5_000;

async function nearestTo(known: readonly string[], name: string, limit: number): Promise<string[]> {
  const furthest = Math.max(2, Math.floor(name.length / 3));
  const candidates: { name: string; away: number }[] = [];
  let compared = 0;
  for (const other of known) {
    if (Math.abs(other.length - name.length) <= furthest) {
      const away = distance(name, other);
      if (away <= furthest) candidates.push({ name: other, away });
      if (++compared % comparisonsPerTurn === 0) await turn();
    }
  }
  // Spelling slips come first; then names that begin with what was asked for ("postgres" means "postgresql").
  const extended = candidates.length < limit ? known.filter((other) => other.startsWith(name)).slice(0, 50) : [];
  const ranked = [...candidates, ...extended.map((other) => ({ name: other, away: furthest + other.length - name.length }))];
  ranked.sort((a, b) => a.away - b.away || Math.abs(a.name.length - name.length) - Math.abs(b.name.length - name.length) || (a.name < b.name ? -1 : 1));
  return [...new Set(ranked.map((candidate) => candidate.name))].slice(0, limit);
}
