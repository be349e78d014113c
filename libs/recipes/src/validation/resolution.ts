import type { BaseImageDto, RecipeFeatureDto } from '../catalogue/catalogue.dto.js';
import type { ServiceId } from '../services/service-configs.js';

/** A service with its whole config: defaults filled in, checked by its class. */
export interface ResolvedService {
  name: ServiceId;
  config: Record<string, unknown>;
  /** Index in the recipe, for paths. */
  at: number;
}

/** What a recipe comes to on its base. */
export interface Resolution {
  base: BaseImageDto;
  features: RecipeFeatureDto[];
  /** Packages to install on top of the base's own, `name` or `name=version`; dependencies are apt's business. */
  packages: string[];
  /** Names of all packages that will be there, dependencies included; without the dependencies while the package index is not loaded. */
  installed: string[];
  /** Packages that must not be in the image. */
  removedPackages: string[];
  services: ResolvedService[];
  /** systemd units to enable. */
  units: string[];
}
