import { NameShelves, nearestNames } from '../packages/nearest-names.js';
import { findConflicts } from '../packages/package-conflicts.js';
import {
  PackageIndex,
  type PackageClosure,
  type PackageConflict,
  type PackageIndexState,
  type PackageLookup,
} from '../packages/package-index.port.js';
import type { PackageRecord } from '../packages/package-source.port.js';

/** A valid record; a test names only what it is about. */
export function packageRecord(name: string, more: Partial<PackageRecord> = {}): PackageRecord {
  const version = more.version ?? '1.0-1';
  return {
    name,
    version,
    versions: [version],
    depends: [],
    provides: [],
    requires: more.depends ?? [],
    conflicts: [],
    essential: false,
    downloadBytes: 1_000,
    installedBytes: 4_000,
    ...more,
  };
}

/** A package index in memory, with the packages that a test gives it. */
export class FakePackageIndex extends PackageIndex {
  private readonly bases = new Map<string, Map<string, PackageRecord>>();

  /** @param packages undefined for a base whose index is not loaded */
  constructor(bases: Record<string, PackageRecord[]>) {
    super();
    for (const [base, packages] of Object.entries(bases)) this.replace(base, packages);
  }

  replace(base: string, packages: PackageRecord[]): void {
    this.bases.set(base, new Map(packages.map((entry) => [entry.name, entry])));
  }

  state(base: string): Promise<PackageIndexState> {
    const packages = this.bases.get(base);
    return Promise.resolve({
      loaded: packages !== undefined,
      refreshedAt: packages ? new Date(0) : null,
      packageCount: packages?.size ?? 0,
      architecture: 'amd64',
    });
  }

  lookup(base: string, names: readonly string[]): Promise<PackageLookup> {
    const packages = this.of(base);
    const unique = [...new Set(names)].sort();
    const found = unique
      .flatMap((name) => packages.get(name) ?? [])
      .map(({ name, version, versions }) => ({ name, version, versions }));
    const others = unique.filter((name) => !packages.has(name));
    const virtual = others
      .map((name) => ({
        name,
        providers: [...packages.values()]
          .filter(({ provides }) => provides.includes(name))
          .map((entry) => entry.name)
          .sort(),
      }))
      .filter(({ providers }) => providers.length);
    return Promise.resolve({
      found,
      virtual,
      missing: others.filter((name) => !virtual.some((entry) => entry.name === name)),
    });
  }

  async nearest(base: string, names: readonly string[], limit?: number): Promise<Map<string, string[]>> {
    return await nearestNames(new NameShelves([...this.of(base).keys()]), names, { limit });
  }

  conflicts(base: string, names: readonly string[]): Promise<PackageConflict[]> {
    return Promise.resolve(findConflicts(names, [...this.of(base).values()]));
  }

  closure(base: string, names: readonly string[]): Promise<PackageClosure> {
    const packages = this.of(base);
    const seen = new Map<string, PackageRecord>();
    const queue = [...names, ...[...packages.values()].filter(({ essential }) => essential).map(({ name }) => name)];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const entry = packages.get(name);
      if (!entry || seen.has(name)) continue;
      seen.set(name, entry);
      queue.push(...entry.depends);
    }
    const sum = (key: 'downloadBytes' | 'installedBytes') =>
      [...seen.values()].reduce((total, entry) => total + entry[key], 0);
    return Promise.resolve({
      names: [...seen.keys()].sort(),
      downloadBytes: sum('downloadBytes'),
      installedBytes: sum('installedBytes'),
    });
  }

  private of(base: string): Map<string, PackageRecord> {
    return this.bases.get(base) ?? new Map<string, PackageRecord>();
  }
}
