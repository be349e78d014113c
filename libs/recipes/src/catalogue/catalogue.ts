import type {
  BaseImageDto,
  BaseImageArchive,
  RecipeCategoryDto,
  RecipeDaemonDto,
  RecipeFeatureDto,
  RecipeServiceDto,
  RecipeTemplateDto,
} from './catalogue.dto.js';

export type AvailableBase = BaseImageDto & { archive: BaseImageArchive };

interface Entries {
  bases: BaseImageDto[];
  features: RecipeFeatureDto[];
  services: RecipeServiceDto[];
  categories: RecipeCategoryDto[];
  daemons: RecipeDaemonDto[];
  templates: RecipeTemplateDto[];
}

/** What recipes may name: base images, features, services, and the templates to start from. Loaded once, never changed. */
export class Catalogue {
  readonly bases: readonly BaseImageDto[];
  readonly features: readonly RecipeFeatureDto[];
  readonly services: readonly RecipeServiceDto[];
  readonly categories: readonly RecipeCategoryDto[];
  readonly daemons: readonly RecipeDaemonDto[];
  readonly templates: readonly RecipeTemplateDto[];
  private readonly basesByName: Map<string, BaseImageDto>;
  private readonly featuresByName: Map<string, RecipeFeatureDto>;

  constructor(entries: Entries) {
    this.bases = entries.bases;
    this.features = entries.features;
    this.services = entries.services;
    this.categories = entries.categories;
    this.daemons = entries.daemons;
    this.templates = entries.templates;
    this.basesByName = byName(entries.bases);
    this.featuresByName = byName(entries.features);
  }

  findBase(name: string): BaseImageDto | undefined {
    return this.basesByName.get(name);
  }

  findFeature(name: string): RecipeFeatureDto | undefined {
    return this.featuresByName.get(name);
  }

  findService(id: string): RecipeServiceDto | undefined {
    return this.services.find((service) => service.id === id);
  }

  findCategory(id: string): RecipeCategoryDto | undefined {
    return this.categories.find((category) => category.id === id);
  }

  findTemplate(id: string): RecipeTemplateDto | undefined {
    return this.templates.find((template) => template.id === id);
  }

  get availableBases(): AvailableBase[] {
    return this.bases.filter((base): base is AvailableBase => base.available && base.archive !== undefined);
  }

  get baseNames(): string[] {
    return [...this.basesByName.keys()];
  }

  get featureNames(): string[] {
    return [...this.featuresByName.keys()];
  }

  /** Names that two entries of one kind share; there must be none. */
  duplicates(): string[] {
    const named = (entries: readonly { id: string; aliases?: string[] }[]) =>
      repeated(entries.flatMap(({ id, aliases = [] }) => [id, ...aliases]));
    return [this.bases, this.features, this.services, this.categories, this.templates].flatMap(named);
  }
}

function byName<T extends { id: string; aliases: string[] }>(entries: readonly T[]): Map<string, T> {
  return new Map(entries.flatMap((entry) => [entry.id, ...entry.aliases].map((name) => [name, entry] as const)));
}

function repeated(names: string[]): string[] {
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
}

/** Packages and units of a feature on one base. */
export function featureOn(feature: RecipeFeatureDto, baseId: string): { packages: string[]; services: string[] } {
  const difference = feature.differences.find(({ base }) => base === baseId);
  const merge = (list: string[], add: string[] = [], remove: string[] = []) =>
    [...list, ...add].filter((item) => !remove.includes(item));
  return {
    packages: merge(feature.packages, difference?.add_packages, difference?.remove_packages),
    services: merge(feature.services, difference?.add_services, difference?.remove_services),
  };
}
