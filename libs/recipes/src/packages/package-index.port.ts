export interface IndexedPackage {
  name: string;
  /** The version that apt would install. */
  version: string;
  /** Every version of the archive, the candidate first. */
  versions: string[];
}

export interface PackageLookup {
  found: IndexedPackage[];
  /** Names that are no packages but that packages provide. */
  virtual: { name: string; providers: string[] }[];
  missing: string[];
}

export interface PackageClosure {
  /** The packages asked for, the essential ones, and all that they depend on (first alternatives). Sorted. */
  names: string[];
  downloadBytes: number;
  installedBytes: number;
}

export interface PackageConflict {
  /** Two of the names that were asked about. */
  names: [string, string];
  /** The packages that cannot be together: the two themselves, or what they cannot do without. */
  packages: [string, string];
}

export interface PackageIndexState {
  loaded: boolean;
  refreshedAt: Date | null;
  packageCount: number;
  /** Debian's name of the architecture that the index is of. */
  architecture: string;
}

/** What a base's archive holds. Bases are named by their catalogue id. */
export abstract class PackageIndex {
  abstract state(base: string): Promise<PackageIndexState>;
  /** Names without a version. Unknown bases hold nothing. */
  abstract lookup(base: string, names: readonly string[]): Promise<PackageLookup>;
  /** Up to `limit` names nearest to each of at most 20 names; others get none. Bounded in comparisons. */
  abstract nearest(base: string, names: readonly string[], limit?: number): Promise<Map<string, string[]>>;
  /** Pairs of the names that apt must refuse to install together; at most 20. Conflicts with certain versions only are not among them. */
  abstract conflicts(base: string, names: readonly string[]): Promise<PackageConflict[]>;
  /** Names that the archive does not have are left out. */
  abstract closure(base: string, names: readonly string[]): Promise<PackageClosure>;
}
