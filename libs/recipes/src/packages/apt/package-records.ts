import { setImmediate as turn } from 'node:timers/promises';
import type { PackageRecord } from '../package-source.port.js';
import { readRelations, readUnversioned, type Stanza } from './control-stanzas.js';

export const recordFields = [
  'Package',
  'Version',
  'Depends',
  'Pre-Depends',
  'Provides',
  'Conflicts',
  'Breaks',
  'Essential',
  'Priority',
  'Size',
  'Installed-Size',
] as const;

interface RawPackage {
  name: string;
  version: string;
  dependencies: string[][];
  provides: string[];
  conflicts: string[];
  priority: number;
  essential: boolean;
  downloadBytes: number;
  installedBytes: number;
}

const priorities = ['required', 'important', 'standard', 'optional', 'extra'];

export function readPackage(stanza: Stanza): RawPackage | undefined {
  const { Package: name, Version: version } = stanza;
  if (!name || !version) return undefined;
  const rank = priorities.indexOf(stanza.Priority ?? 'optional');
  return {
    name,
    version,
    dependencies: [...readRelations(stanza['Pre-Depends']), ...readRelations(stanza.Depends)],
    provides: readRelations(stanza.Provides).flat(),
    conflicts: [...new Set([...readUnversioned(stanza.Conflicts), ...readUnversioned(stanza.Breaks)])],
    priority: rank < 0 ? priorities.length : rank,
    essential: stanza.Essential === 'yes' || rank === 0,
    downloadBytes: Number(stanza.Size ?? 0),
    installedBytes: Number(stanza['Installed-Size'] ?? 0) * 1024,
  };
}

/**
 * Settles each dependency on one real package: the first alternative that is one, else the provider of the first virtual one that
 * every system is likeliest to hold (by priority, then name).
 */
export async function settleDependencies(
  packages: ReadonlyMap<string, RawPackage>,
  versions: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<PackageRecord[]> {
  const providers = await providersOf(packages);
  const settle = (group: string[]) =>
    group.find((name) => packages.has(name)) ?? group.map((name) => providers.get(name)).find(Boolean);
  const records: PackageRecord[] = [];
  for await (const { dependencies, priority: _priority, ...entry } of inTurns(packages.values())) {
    const depends = dependencies
      .map(settle)
      .filter((name): name is string => name !== undefined && name !== entry.name);
    records.push({
      ...entry,
      depends: [...new Set(depends)],
      ...necessities(entry, dependencies, { packages, providers }),
      versions: [...new Set([entry.version, ...(versions.get(entry.name) ?? [])])],
    });
  }
  return records;
}

/**
 * What a package cannot do without and cannot be with, whatever apt chooses: of a dependency that several packages meet, only what all of
 * them conflict with (exim4 needs one of its daemons, and each is a mail server).
 */
function necessities(
  { name, conflicts }: Pick<RawPackage, 'name' | 'conflicts'>,
  dependencies: string[][],
  { packages, providers }: { packages: ReadonlyMap<string, RawPackage>; providers: ReadonlyMap<string, string> },
): Pick<PackageRecord, 'requires' | 'conflicts'> {
  const requires = new Set<string>();
  const against = new Set(conflicts);
  for (const group of dependencies) {
    const real = [...new Set(group)].flatMap((one) => packages.get(one) ?? []);
    // What is provided may be met by others.
    if (real.length === 0 || group.some((one) => providers.has(one))) continue;
    const [first, ...others] = real as [RawPackage, ...RawPackage[]];
    if (others.length === 0) requires.add(first.name);
    else
      for (const one of first.conflicts) if (others.every((other) => other.conflicts.includes(one))) against.add(one);
  }
  requires.delete(name);
  return { requires: [...requires], conflicts: [...against] };
}

async function providersOf(packages: ReadonlyMap<string, RawPackage>): Promise<Map<string, string>> {
  const best = new Map<string, RawPackage>();
  for await (const entry of inTurns(packages.values())) {
    for (const name of entry.provides) {
      const other = best.get(name);
      if (!other || entry.priority < other.priority || (entry.priority === other.priority && entry.name < other.name))
        best.set(name, entry);
    }
  }
  return new Map([...best].map(([name, { name: provider }]) => [name, provider]));
}

const entriesPerTurn = 500;

/** Gives the event loop a turn now and then: callers of this process wait meanwhile. */
async function* inTurns<T>(entries: Iterable<T>): AsyncGenerator<T> {
  let count = 0;
  for (const entry of entries) {
    yield entry;
    if (++count % entriesPerTurn === 0) await turn();
  }
}

export type { RawPackage };
