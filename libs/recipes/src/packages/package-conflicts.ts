import type { PackageConflict } from './package-index.port.js';
import type { PackageRecord } from './package-source.port.js';

export type RelatedPackage = Pick<PackageRecord, 'name' | 'requires' | 'provides' | 'conflicts'>;

const mostTold = 20;

/**
 * @param names what is asked for
 * @param related at least these and all that they cannot do without
 */
export function findConflicts(names: readonly string[], related: readonly RelatedPackage[]): PackageConflict[] {
  const packages = new Map(related.map((entry) => [entry.name, entry]));
  const wantedBy = whoWants(names, packages);
  const known = new Map<string, string[]>();
  for (const { name, provides } of packages.values())
    if (wantedBy.has(name))
      for (const called of [name, ...provides]) known.set(called, [...(known.get(called) ?? []), name]);
  const found = new Map<string, PackageConflict>();
  for (const { name, conflicts } of packages.values()) {
    const one = wantedBy.get(name);
    if (one === undefined) continue;
    // A package never conflicts with what it provides itself (Debian Policy 7.4).
    for (const other of conflicts.flatMap((called) => known.get(called) ?? [])) {
      if (other === name || found.size >= mostTold) continue;
      const pair: [string, string] = [one, wantedBy.get(other) ?? other];
      const key = [...pair].sort().join(' ');
      if (!found.has(key)) found.set(key, { names: pair, packages: [name, other] });
    }
  }
  return [...found.values()];
}

/** For each package that must come, the name that it comes by: itself where it is asked for. */
function whoWants(names: readonly string[], packages: ReadonlyMap<string, RelatedPackage>): Map<string, string> {
  const wantedBy = new Map(names.filter((name) => packages.has(name)).map((name) => [name, name]));
  // The list grows while it is walked.
  const queue = [...wantedBy.keys()];
  for (const name of queue) {
    for (const required of packages.get(name)?.requires ?? []) {
      if (wantedBy.has(required) || !packages.has(required)) continue;
      wantedBy.set(required, wantedBy.get(name) ?? name);
      queue.push(required);
    }
  }
  return wantedBy;
}
