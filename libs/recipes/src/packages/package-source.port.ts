import type { AvailableBase } from '../catalogue/catalogue.js';

/** One package as the archive describes it; `depends` names real packages, the first alternative of each dependency. */
export interface PackageRecord {
  name: string;
  version: string;
  versions: string[];
  depends: string[];
  provides: string[];
  /** Real packages that it cannot do without: dependencies that nothing else meets. */
  requires: string[];
  /** Names, of packages or of what packages provide, that it cannot be with in any version. */
  conflicts: string[];
  /** Part of every system: Essential: yes or Priority: required. */
  essential: boolean;
  downloadBytes: number;
  installedBytes: number;
}

export interface FetchedIndex {
  architecture: string;
  packages: PackageRecord[];
}

/** Where the index of a base comes from. */
export abstract class PackageSource {
  /** @throws AppError `package_index_unavailable` with what to do about it */
  abstract fetch(base: AvailableBase, signal?: AbortSignal): Promise<FetchedIndex>;
}
