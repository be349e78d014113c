import type { AvailableBase } from '../catalogue/catalogue.js';
import type { PackageIndex } from '../packages/package-index.port.js';
import { splitSpec, type NamedPackage } from './check-packages.js';
import type { Findings } from './findings.js';
import type { Resolution } from './resolution.js';

/** Tells what apt would refuse to install together. */
export async function checkConflicts(
  base: AvailableBase,
  { packages, removedPackages }: Resolution,
  named: readonly NamedPackage[],
  { index, findings }: { index: PackageIndex; findings: Findings },
): Promise<void> {
  const wanted = new Set([
    ...packages.map((spec) => splitSpec(spec).name),
    ...base.archive.packages.filter((name) => !removedPackages.includes(name)),
  ]);
  const asked = new Map<string, NamedPackage>();
  for (const entry of named) if (!asked.has(entry.name)) asked.set(entry.name, entry);
  const order = [...asked.values()];
  const owner = (name: string) => {
    const feature = asked.get(name)?.feature;
    return feature !== undefined
      ? `${name} (feature ${feature})`
      : asked.has(name)
        ? name
        : `${name}, which every image of ${base.id} holds,`;
  };
  for (const { names, packages: parted } of await index.conflicts(base.id, [...wanted])) {
    const [one, other] = names;
    // Mended where the recipe names it itself, and at the later of two.
    const at =
      order.findLast(({ name, feature }) => names.includes(name) && feature === undefined) ??
      order.find(({ name }) => names.includes(name));
    const through = names.every((name, position) => name === parted[position])
      ? ''
      : `: ${parted[0]} conflicts with ${parted[1]}`;
    findings.error(
      at?.path ?? '/packages',
      'package_conflict',
      `${owner(one)} and ${owner(other)} cannot be in one image${through}. Leave one out.`,
    );
  }
}
