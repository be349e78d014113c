import { createHash } from 'node:crypto';
import { canonicalJson } from '#libs/platform';

/** One package of an image, as the archive describes it. */
export interface LockedPackage {
  name: string;
  version: string;
  architecture: string;
  sha256: string;
  sizeBytes: number;
  /** What it takes unpacked, as its maintainer estimates (Installed-Size of deb-control(5)). */
  installedBytes: number;
  /** Path below the archive's root; says nothing about the mirror. */
  poolPath: string;
}

/** Exactly what an image is made of: the same lock and recipe give the same image. */
export interface PackageLock {
  baseImage: string;
  suite: string;
  architecture: string;
  /** SOURCE_DATE_EPOCH of everything that is made from it: the date of the suite's Release file. */
  epochSeconds: number;
  /** What the base layer holds. */
  base: LockedPackage[];
  /** What the package layer adds. */
  added: LockedPackage[];
  /** Names asked for, as apt takes them (`name`, `name=version`, `name-` to remove). */
  requested: string[];
}

export const installedBytes = (packages: LockedPackage[]): number =>
  packages.reduce((sum, one) => sum + one.installedBytes, 0);

/** At most, of everything in it as a squashfs: measured were 30 % of what is unpacked at the fastest level. */
export const compressedBytes = ({ base, added }: PackageLock): number =>
  Math.round(installedBytes([...base, ...added]) / 2);

/**
 * What apt is asked for where it knows these packages only: to remove what neither the base nor the recipe brings is done already, and apt
 * refuses names that it has never heard of.
 */
export function installable({ base, added, requested }: Pick<PackageLock, 'base' | 'added' | 'requested'>): string[] {
  const known = new Set([...base, ...added].map(({ name }) => name));
  return requested.filter((spec) => !spec.endsWith('-') || known.has(spec.slice(0, -1)));
}

/** In every base; a recipe that removes it wants nobody outside to reach into its machines, and gets no helper of ours either. */
export const agentPackage = 'qemu-guest-agent';

export function isWithoutAgent({ base, added, requested }: PackageLock): boolean {
  return requested.includes(`${agentPackage}-`) || ![...base, ...added].some(({ name }) => name === agentPackage);
}

export function lockHash(packages: LockedPackage[]): string {
  return createHash('sha256')
    .update(
      canonicalJson(packages.map(({ name, version, architecture, sha256 }) => [name, version, architecture, sha256])),
    )
    .digest('hex');
}
