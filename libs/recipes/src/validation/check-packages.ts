import type { BaseImageDto } from '../catalogue/catalogue.dto.js';
import { mostNamesCompared } from '../packages/nearest-names.js';
import type { PackageIndex, PackageLookup } from '../packages/package-index.port.js';
import { packageSpec } from '../schema/text-rules.js';
import { objects, text, texts, type Draft } from './draft.js';
import type { Findings } from './findings.js';

/** A package that something in the recipe names. */
export interface NamedPackage {
  name: string;
  version?: string;
  path: string;
  /** The feature that brings it, where the recipe does not name it itself. */
  feature?: string;
}

/** Unknown packages told one by one; the rest is counted. */
const mostTold = 100;

export function packagesNamedBy(draft: Draft): NamedPackage[] {
  const requested = texts(draft, 'packages').map(({ value, path }) => ({ ...splitSpec(value), path, spec: value }));
  const overridden = objects(draft, 'package_overrides').flatMap(({ value, path }) =>
    ['name', 'replacement'].flatMap((key) => {
      const name = text(value, key);
      return name === undefined ? [] : [{ name, path: `${path}/${key}`, spec: name }];
    }),
  );
  // What does not look like a package at all is told by the schema.
  return [...requested, ...overridden]
    .filter(({ spec }) => packageSpec.test(spec))
    .map(({ spec: _spec, ...named }) => named);
}

export function splitSpec(spec: string): { name: string; version?: string } {
  const at = spec.indexOf('=');
  return at < 0 ? { name: spec } : { name: spec.slice(0, at), version: spec.slice(at + 1) };
}

/** Looks every package up in the base's archive. @returns whether the index was there to do so */
export async function checkPackages(
  base: BaseImageDto,
  named: NamedPackage[],
  index: PackageIndex,
  findings: Findings,
): Promise<boolean> {
  if (!base.available) return false;
  const { loaded } = await index.state(base.id);
  if (!loaded) {
    findings.warn(
      '/packages',
      'packages_not_checked',
      `The package index of ${base.id} is not loaded yet, so packages were not checked and sizes are unknown. Validate again in a minute.`,
    );
    return false;
  }
  const lookup = await index.lookup(base.id, [...new Set(named.map(({ name }) => name))]);
  checkVersions(named, lookup, base, findings);
  checkVirtual(named, lookup, base, findings);
  await checkMissing(named, lookup, base, index, findings);
  return true;
}

function checkVersions(named: NamedPackage[], { found }: PackageLookup, base: BaseImageDto, findings: Findings): void {
  const versions = new Map(found.map((entry) => [entry.name, entry.versions]));
  for (const { name, version, path } of named) {
    const available = versions.get(name);
    if (version === undefined || !available || available.includes(version)) continue;
    findings.error(
      path,
      'unknown_version',
      `${base.id} has ${name} in ${available.length === 1 ? 'version' : 'versions'} ${available.slice(0, 5).join(', ')} only.`,
      `${name}=${available[0] ?? ''}`,
    );
  }
}

function checkVirtual(named: NamedPackage[], { virtual }: PackageLookup, base: BaseImageDto, findings: Findings): void {
  const providers = new Map(virtual.map((entry) => [entry.name, entry.providers]));
  for (const { name, path } of named) {
    const real = providers.get(name);
    if (real)
      findings.error(
        path,
        'virtual_package',
        `${name} is a virtual package of ${base.id}; name one that provides it: ${real.join(', ')}.`,
        real[0],
      );
  }
}

async function checkMissing(
  named: NamedPackage[],
  { missing }: PackageLookup,
  base: BaseImageDto,
  index: PackageIndex,
  findings: Findings,
): Promise<void> {
  const gone = new Set(missing);
  const wrong = named.filter(({ name }) => gone.has(name));
  const nearest = wrong.length
    ? await index.nearest(base.id, [...gone].slice(0, mostNamesCompared))
    : new Map<string, string[]>();
  for (const { name, path, feature } of wrong.slice(0, mostTold)) {
    const near = nearest.get(name) ?? [];
    const meant = near.length ? ` The nearest names are ${near.join(', ')}.` : '';
    const who = feature ? `The feature ${feature} needs the package ${name}, which` : `The package ${name}`;
    findings.error(
      path,
      'unknown_package',
      `${who} ${feature ? 'is' : 'does'} not ${feature ? 'in' : 'exist in'} the archive of ${base.id}.${meant}`,
      near[0],
    );
  }
  if (wrong.length > mostTold)
    findings.error(
      '/packages',
      'unknown_packages',
      `${wrong.length - mostTold} more packages do not exist in the archive of ${base.id}.`,
    );
}
