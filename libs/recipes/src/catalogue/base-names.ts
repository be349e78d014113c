import { readFileSync } from 'node:fs';
import path from 'node:path';
import { dataDirectory } from './data-directory.js';

/** The names that a base itself knows, read from its packages by scripts/base-names.mjs (docs/recipes.md). */
export interface BaseNames {
  /** Time zones of tzdata. */
  zones: ReadonlySet<string>;
  /** Old names of zones that only tzdata-legacy has, and what they are called today. */
  oldZones: ReadonlyMap<string, string>;
  /** Locales that can be generated, with their charset (SUPPORTED of the package locales). */
  locales: ReadonlyMap<string, string>;
  /** XKB layouts with their variants. */
  keyboards: ReadonlyMap<string, readonly string[]>;
  /** Users and groups of an image of nothing but the base, with their ids. */
  users: ReadonlyMap<string, number>;
  groups: ReadonlyMap<string, number>;
  shells: ReadonlySet<string>;
  /** Absolute paths of the base's programs. */
  programs: ReadonlySet<string>;
  /** Shells and interpreters beyond the base: path -> packages of which one brings it. */
  programPackages: ReadonlyMap<string, readonly string[]>;
  /** Links to directories: other names of a place. */
  dirLinks: ReadonlyMap<string, string>;
  /** Users and groups that packages make, by package. */
  accounts: ReadonlyMap<string, PackageAccounts>;
  /** Collectors that the node exporter of the base can switch on; it does not start with another. */
  collectors: ReadonlySet<string>;
}

export interface PackageAccounts {
  users: readonly string[];
  groups: readonly string[];
}

type Written = Record<'zones' | 'shells' | 'programs' | 'collectors', string[]> &
  Record<'oldZones' | 'locales' | 'dirLinks', Record<string, string>> &
  Record<'users' | 'groups', Record<string, number>> & {
    keyboards: Record<string, string[]>;
    programPackages: Record<string, string[]>;
    accounts: Record<string, PackageAccounts>;
  };

const loaded = new Map<string, BaseNames>();

/** @throws where the base has no list: every available one has */
export function namesOf(base: string): BaseNames {
  const known = loaded.get(base);
  if (known) return known;
  const written = JSON.parse(readFileSync(path.join(dataDirectory(), 'bases', `${base}.json`), 'utf8')) as Written;
  const map = <T>(entries: Record<string, T>): ReadonlyMap<string, T> => new Map(Object.entries(entries));
  const names: BaseNames = {
    zones: new Set(written.zones),
    oldZones: map(written.oldZones),
    locales: map(written.locales),
    keyboards: map(written.keyboards),
    users: map(written.users),
    groups: map(written.groups),
    shells: new Set(written.shells),
    programs: new Set(written.programs),
    programPackages: map(written.programPackages),
    dirLinks: map(written.dirLinks),
    accounts: map(written.accounts),
    collectors: new Set(written.collectors),
  };
  loaded.set(base, names);
  return names;
}
