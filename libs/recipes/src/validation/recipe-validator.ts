import { Injectable } from '@nestjs/common';
import { nearestName, schemaOf, type Violation } from '#libs/platform';
import { coerceParams } from '../assertions/check-assertion.js';
import { namesOf, type BaseNames } from '../catalogue/base-names.js';
import { Catalogue } from '../catalogue/catalogue.js';
import type { BaseImageDto } from '../catalogue/catalogue.dto.js';
import { isObject } from '../normalise/json-values.js';
import { cutToFit } from '../normalise/cut-to-fit.js';
import { normaliseRecipe } from '../normalise/normalise-recipe.js';
import { PackageIndex } from '../packages/package-index.port.js';
import { RecipeDto } from '../schema/recipe.dto.js';
import { checkConflicts } from './check-conflicts.js';
import { checkRemovals } from './check-removals.js';
import { checkPackages, packagesNamedBy, splitSpec } from './check-packages.js';
import { text, type Draft } from './draft.js';
import { closureOf, estimate } from './estimate.js';
import { Findings } from './findings.js';
import type { Resolution } from './resolution.js';
import { resolveFeatures } from './resolve-features.js';
import { packagesOfFeatures, resolvePackages, unitsOf } from './resolve-packages.js';
import { resolveServices } from './resolve-services.js';
import { rules } from './rules/index.js';
import { checkSchema } from './schema-check.js';
import { settleScripts } from './settle-scripts.js';
import { settleSystem } from './settle-system.js';

export interface RecipeValidation {
  valid: boolean;
  errors: Violation[];
  warnings: Violation[];
  /** Null where the base image is not known. */
  resolved: ResolvedRecipe | null;
}

export interface ResolvedRecipe {
  base_image: string;
  features: string[];
  packages: string[];
  services: { name: string; config: Record<string, unknown> }[];
  /** Null while the package index of the base is not loaded. */
  estimated_size_bytes: number | null;
  estimated_seconds: number | null;
}

/** A checked recipe: what was found, and, if it is valid, the whole recipe (still with plain passwords) and what it comes to. */
export interface CheckedRecipe {
  validation: RecipeValidation;
  recipe?: RecipeDto;
  resolution?: Resolution;
}

/** Checks recipes. Starts nothing, stores nothing, never throws on a bad recipe, and reports everything that is wrong at once. */
@Injectable()
export class RecipeValidator {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly index: PackageIndex,
  ) {}

  async validate(input: unknown): Promise<RecipeValidation> {
    return (await this.check(input)).validation;
  }

  async check(input: unknown): Promise<CheckedRecipe> {
    const findings = new Findings();
    const { recipe, violations } = normaliseRecipe(input);
    if (!isObject(recipe)) {
      findings.error(
        '',
        'not_an_object',
        'A recipe is an object, or the JSON text of one, and holds at most 20,000 values.',
      );
      return { validation: report(findings, null) };
    }
    // The rules walk every list, so they see no more of an endless one than it takes to refuse it.
    const given = cutToFit(schemaOf(RecipeDto), recipe) as Draft;
    const base = this.base(given, findings);
    const names = this.namesFor(base);
    const draft = settleScripts(await settleSystem(given, names, findings), findings);
    const { instance, violations: wrong, unreadable } = checkSchema(RecipeDto, draft);
    // What is no name of the base is told with the nearest, so its shape need not be told as well.
    const told = new Set(findings.errors.map(({ path }) => path));
    [...violations, ...wrong]
      .filter(({ path }) => !told.has(path))
      .forEach((violation) =>
        findings.error(violation.path, plainCode(violation.code), violation.message, violation.suggestion),
      );
    if (unreadable) return { validation: report(findings, null) };
    const { resolution, resolved } = await this.resolve(draft, base, findings);
    for (const rule of rules) rule({ draft, findings, catalogue: this.catalogue, names, resolution });
    const validation = report(findings, resolved);
    return validation.valid && instance && resolution
      ? { validation, recipe: complete(instance, resolution), resolution }
      : { validation };
  }

  private async resolve(
    draft: Draft,
    base: BaseImageDto | undefined,
    findings: Findings,
  ): Promise<{ resolution: Resolution | undefined; resolved: ResolvedRecipe | null }> {
    const services = resolveServices(draft, findings);
    const features = resolveFeatures(draft, services, this.catalogue, findings);
    if (!base) return { resolution: undefined, resolved: null };
    const { packages, removed } = resolvePackages(draft, features, base);
    const named = [...packagesNamedBy(draft), ...packagesOfFeatures(features, base)];
    const checked = await checkPackages(base, named, this.index, findings);
    const closure =
      checked && base.archive
        ? await closureOf({ ...base, archive: base.archive }, draft, packages, this.index)
        : undefined;
    const cost = closure && estimate(closure, draft);
    const installed =
      closure?.names ?? [...(base.archive?.packages ?? []), ...packages].map((spec) => splitSpec(spec).name);
    const resolution: Resolution = {
      base,
      features,
      packages,
      installed,
      removedPackages: removed,
      services,
      units: unitsOf(features, base),
    };
    if (checked && base.archive)
      await checkRemovals({ ...base, archive: base.archive }, draft, { index: this.index, findings });
    if (checked && base.archive)
      await checkConflicts({ ...base, archive: base.archive }, resolution, named, { index: this.index, findings });
    const resolved = {
      base_image: base.id,
      features: features.map(({ id }) => id),
      packages,
      services: services.map(({ name, config }) => ({ name, config })),
      estimated_size_bytes: cost?.sizeBytes ?? null,
      estimated_seconds: cost?.seconds ?? null,
    };
    return { resolution, resolved };
  }

  /** What is no name anywhere is told also where the base is not known. */
  private namesFor(base: BaseImageDto | undefined): BaseNames {
    return namesOf(base?.available ? base.id : (this.catalogue.availableBases.at(-1)?.id ?? ''));
  }

  private base(draft: Draft, findings: Findings): BaseImageDto | undefined {
    const name = text(draft, 'base_image');
    if (name === undefined) return undefined;
    const base = this.catalogue.findBase(name);
    const available = this.catalogue.availableBases.map(({ id }) => id);
    if (!base)
      findings.error(
        '/base_image',
        'unknown_base_image',
        `There is no such base image; there are ${available.join(', ')}.`,
        () => nearestName(name, this.catalogue.baseNames),
      );
    else if (!base.available)
      findings.error(
        '/base_image',
        'base_image_unavailable',
        `${base.title} cannot be used: ${base.unavailable_reason ?? ''} Available are ${available.join(', ')}.`,
        base.nearest,
      );
    return base;
  }
}

function report({ errors, warnings }: Findings, resolved: ResolvedRecipe | null): RecipeValidation {
  return { valid: errors.length === 0, errors, warnings, resolved };
}

/** `arrayMaxSize` as `array_max_size`, like every other code of ours. */
function plainCode(code: string): string {
  return code === 'whitelistValidation'
    ? 'unknown_field'
    : code.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The canonical recipe: ids instead of aliases, whole service configs, numbers that came as text as numbers. */
function complete(recipe: RecipeDto, { base, services }: Resolution): RecipeDto {
  recipe.base_image = base.id;
  recipe.services = services.map(({ name, config }) => ({ name, config }));
  for (const { assertions } of recipe.tests)
    for (const assertion of assertions) assertion.params = coerceParams(assertion.type, assertion.params);
  return recipe;
}
