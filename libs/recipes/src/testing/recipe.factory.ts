import { featureOn, type Catalogue } from '../catalogue/catalogue.js';
import { loadCatalogue } from '../catalogue/catalogue-loader.js';
import type { PackageRecord } from '../packages/package-source.port.js';
import { splitSpec } from '../validation/check-packages.js';
import { RecipeValidator } from '../validation/recipe-validator.js';
import { FakePackageIndex, packageRecord } from './fake-package-index.js';

/** The real catalogue: it is data, and reading it once is quick. */
export const catalogue: Catalogue = loadCatalogue();

export const validRecipe = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: 'web-1',
  base_image: 'debian-bookworm',
  users: [{ username: 'ada', password: 'correct horse' }],
  ...more,
});

/** Packages that every catalogue entry names, and a few for tests. */
export function everyPackage(): PackageRecord[] {
  const recipes = catalogue.templates
    .flatMap(({ recipe }) => (recipe.packages ?? []) as string[])
    .map((spec) => splitSpec(spec).name);
  const features = catalogue.features.flatMap((feature) =>
    catalogue.bases.flatMap(({ id }) => featureOn(feature, id).packages),
  );
  const bases = catalogue.availableBases.flatMap(({ archive }) => [
    ...archive.packages,
    archive.kernels.amd64.generic,
    archive.kernels.amd64.cloud,
  ]);
  const names = new Set([
    ...recipes,
    ...features,
    ...bases,
    'neovim',
    'nano',
    'postfix',
    'exim4-daemon-light',
    'dnsmasq',
    'lighttpd',
    'systemd-timesyncd',
    'base-files',
  ]);
  return [...names].map((name) =>
    packageRecord(name, {
      ...(name === 'curl' && { versions: ['7.88.1-10', '7.88.1-9'], version: '7.88.1-10' }),
      ...(['postfix', 'exim4-daemon-light'].includes(name) && {
        provides: ['mail-transport-agent'],
        conflicts: ['mail-transport-agent'],
      }),
      ...(['chrony', 'systemd-timesyncd'].includes(name) && { provides: ['time-daemon'], conflicts: ['time-daemon'] }),
      ...(name === 'base-files' && { essential: true }),
    }),
  );
}

/** A validator over the real catalogue and an index that holds what the catalogue names, on both bases. */
export function validatorWith(
  index = new FakePackageIndex({ 'debian-bookworm': everyPackage(), 'debian-trixie': everyPackage() }),
): RecipeValidator {
  return new RecipeValidator(catalogue, index);
}
