import { featureOn } from '../catalogue/catalogue.js';
import type { BaseImageDto, RecipeFeatureDto } from '../catalogue/catalogue.dto.js';
import { splitSpec, type NamedPackage } from './check-packages.js';
import { objects, part, text, texts, type Draft } from './draft.js';

/** Packages of features and of other fields, for the look-up. */
export function packagesOfFeatures(features: readonly RecipeFeatureDto[], base: BaseImageDto): NamedPackage[] {
  return features.flatMap((feature) =>
    featureOn(feature, base.id).packages.map((name) => ({ name, path: '/features', feature: feature.id })),
  );
}

/** What is installed on top of the base: features, packages, what other fields need; then the overrides. */
export function resolvePackages(
  draft: Draft,
  features: readonly RecipeFeatureDto[],
  base: BaseImageDto,
): { packages: string[]; removed: string[] } {
  const requested = texts(draft, 'packages').map(({ value }) => value);
  const chosen = new Map<string, string>();
  for (const spec of [
    ...packagesOfFeatures(features, base).map(({ name }) => name),
    ...packagesOfFields(draft),
    ...requested,
  ])
    chosen.set(splitSpec(spec).name, spec);
  const removed: string[] = [];
  for (const { value } of objects(draft, 'package_overrides')) {
    const [name, action, replacement] = [text(value, 'name'), text(value, 'action'), text(value, 'replacement')];
    if (name === undefined) continue;
    if (action === 'add') chosen.set(name, chosen.get(name) ?? name);
    else {
      chosen.delete(name);
      removed.push(name);
      if (action === 'replace' && replacement !== undefined) chosen.set(replacement, replacement);
    }
  }
  return { packages: [...chosen.values()].sort(), removed: removed.filter((name) => !chosen.has(name)) };
}

function packagesOfFields(draft: Draft): string[] {
  const system = part(draft, 'system');
  const locale = text(system, 'locale') ?? 'C.UTF-8';
  const keyboard = text(system, 'keyboard') ?? 'us';
  return [
    // C and POSIX come with the C library; every other locale has to be generated.
    ...(/^(C|POSIX)(\.|$)/.test(locale) ? [] : ['locales']),
    ...(keyboard === 'us' ? [] : ['console-setup', 'keyboard-configuration']),
    ...(objects(draft, 'users').some(
      ({ value }) => value.sudo === true || (Array.isArray(value.groups) && value.groups.includes('sudo')),
    )
      ? ['sudo']
      : []),
  ];
}

export function unitsOf(features: readonly RecipeFeatureDto[], base: BaseImageDto): string[] {
  return [...new Set(features.flatMap((feature) => featureOn(feature, base.id).services))].sort();
}
