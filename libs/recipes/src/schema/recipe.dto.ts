import { RecipeFile, RecipeStartupScript } from './files.dto.js';
import { OpenObject, Part, Parts, Text, Texts } from './field.decorators.js';
import { RecipeNetworking } from './networking.dto.js';
import { RecipeCustomPackage, RecipeExtraRepo, RecipePackageOverride } from './packages.dto.js';
import { RecipeDesktop, RecipeOutput, RecipeSecurity, RecipeSystem } from './system.dto.js';
import { RecipeTest } from './tests.dto.js';
import { anyText, catalogueId, packageSpec, recipeName } from './text-rules.js';
import { RecipeGroup, RecipeUser } from './users.dto.js';

export class RecipeServiceEntry {
  @Text(catalogueId, 'Id of the service catalogue, such as "ssh".', { required: true }) name: string;
  @OpenObject('Options of the service; every service has its own, unknown ones are errors.', { default: {} })
  config: Record<string, unknown> = {};
}

/** Everything that an operating-system image is made from. */
export class RecipeDto {
  @Text(recipeName, 'Name of the image: lower-case letters, digits and dashes.', { required: true }) name: string;
  @Text(anyText, 'What the image is for.', { maxLength: 2000, default: '' }) description: string = '';
  @Text(catalogueId, 'Id or alias of a base image, such as "debian-bookworm".', { required: true }) base_image: string;
  @Texts(catalogueId, 'Ids of features; what they require is added.', { maxItems: 100, default: [] })
  features: string[] = [];
  @Texts(packageSpec, 'Debian packages, name or name=version.', { maxItems: 2000, default: [] }) packages: string[] =
    [];
  @Parts(() => RecipePackageOverride, 'Packages to add, remove or replace after features and services are resolved.', {
    maxItems: 500,
    default: [],
  })
  package_overrides: RecipePackageOverride[] = [];
  @Parts(() => RecipeExtraRepo, 'Further package repositories; a "deb …" line is read as well.', {
    maxItems: 20,
    default: [],
  })
  extra_repos: RecipeExtraRepo[] = [];
  @Parts(() => RecipeCustomPackage, 'Packages built from git.', { maxItems: 20, default: [] })
  custom_packages: RecipeCustomPackage[] = [];
  @Parts(() => RecipeServiceEntry, 'Services with their options; a missing feature is added.', {
    maxItems: 50,
    default: [],
  })
  services: RecipeServiceEntry[] = [];
  @Parts(() => RecipeUser, 'Users to make.', { maxItems: 100, default: [] }) users: RecipeUser[] = [];
  @Parts(() => RecipeGroup, 'Groups to make.', { maxItems: 100, default: [] }) groups: RecipeGroup[] = [];
  @Parts(() => RecipeFile, 'Files to put into the image; at most 1 MiB together.', { maxItems: 500, default: [] })
  files: RecipeFile[] = [];
  @Part(() => RecipeNetworking, 'Network; DHCP on every wired interface without it.') networking?: RecipeNetworking;
  @Part(() => RecipeSecurity, 'Hardening.') security: RecipeSecurity = new RecipeSecurity();
  @Part(() => RecipeDesktop, 'Desktop; adds the desktop feature.') desktop?: RecipeDesktop;
  @Part(() => RecipeSystem, 'Time zone, locale, keyboard and kernel.') system: RecipeSystem = new RecipeSystem();
  @Parts(() => RecipeStartupScript, 'Scripts that run in the image at boot.', { maxItems: 100, default: [] })
  startup_scripts: RecipeStartupScript[] = [];
  @Parts(() => RecipeTest, 'Tests of the finished image, besides the default ones.', { maxItems: 200, default: [] })
  tests: RecipeTest[] = [];
  @Part(() => RecipeOutput, 'Image formats and compression.') output: RecipeOutput = new RecipeOutput();
}
