import { distance } from 'fastest-levenshtein';

/** Longer names are compared with nothing: nobody mistypes so much. */
const longestName = 64;
/** A list this long is searched by its own index (recipes/packages/nearest-names.ts). */
const mostCompared = 2_000;

/** How far off a name may be and still be meant. */
export const furthestOf = (known: string): number => Math.max(2, Math.floor(known.length / 3));

/** The known name a person probably meant, or undefined where nothing is near. */
export function nearestName(
  name: string,
  known: readonly string[],
  compare: (one: string, other: string) => number = distance,
): string | undefined {
  if (name.length > longestName) return undefined;
  const meant = name.toLowerCase();
  let nearest: string | undefined;
  let nearestAway = Infinity;
  let compared = 0;
  for (const candidate of known) {
    // The distance is at least the difference in length.
    if (Math.abs(candidate.length - meant.length) > Math.min(furthestOf(candidate), nearestAway - 1)) continue;
    if (++compared > mostCompared) break;
    const away = compare(meant, candidate);
    if (away < nearestAway && away <= furthestOf(candidate)) [nearest, nearestAway] = [candidate, away];
  }
  return nearest;
}
