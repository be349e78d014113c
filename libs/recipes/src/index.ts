import type { EntityClass } from '#libs/platform';
import { PackageIndexEntity, PackageIndexStateEntity } from './packages/package-index.entity.js';
import { RecipeEntity } from './recipe.entity.js';

export { RecipesModule } from './recipes.module.js';
export { RecipeReader, type FoundRecipe } from './recipe.reader.js';
export type { PreparedRecipe } from './recipe-document.js';
export type { RecipeValidation, ResolvedRecipe } from './validation/recipe-validator.js';
export type { Resolution, ResolvedService } from './validation/resolution.js';
export { Catalogue, featureOn, type AvailableBase } from './catalogue/catalogue.js';
export type { BaseImageDto, RecipeFeatureDto } from './catalogue/catalogue.dto.js';
export {
  PackageIndex,
  type PackageClosure,
  type PackageIndexState,
  type PackageLookup,
} from './packages/package-index.port.js';
export { PackageIndexRefreshService } from './packages/package-index-refresh.service.js';
export { AptPackageSource, withoutCredentials } from './packages/apt/apt-package-source.js';
export type { AptRoot, AptSource } from './packages/apt/apt-root.js';
export { openPorts, portsOfService, type ListeningPort } from './services/service-ports.js';
export { isServiceId, serviceConfigs, type ServiceConfig, type ServiceId } from './services/service-configs.js';
export { namesOf, type BaseNames } from './catalogue/base-names.js';
export { splitKeyboard } from './validation/settle-system.js';
export { lostPlacePatterns, whyLost } from './validation/places.js';
export { kernelLineBytes, ownKernelLineBytes } from './validation/rules/kernel-rules.js';
export { RecipeDto } from './schema/recipe.dto.js';
export { outlineOf } from './schema/recipe-schema.js';
export type { RecipeFile, RecipeStartupScript } from './schema/files.dto.js';
export type { RecipeNetworking } from './schema/networking.dto.js';
export { needsNoPasswordForSudo, type RecipeUser } from './schema/users.dto.js';
export { RecipeAssertion, RecipeTest } from './schema/tests.dto.js';
export { assertionTypeNames, type AssertionTypeName } from './assertions/assertion-types.js';
export { checkAssertion, coerceParams } from './assertions/check-assertion.js';

export const recipeEntities: EntityClass[] = [RecipeEntity, PackageIndexEntity, PackageIndexStateEntity];
