import { Injectable } from '@nestjs/common';
import { AppError, type Caller, type Violation } from '#libs/platform';
import type { RecipeDto } from './schema/recipe.dto.js';
import { PasswordHasher } from './validation/password-hasher.js';
import type { Resolution } from './validation/resolution.js';
import { RecipeValidator, type RecipeValidation } from './validation/recipe-validator.js';

/** A recipe that may be stored and built: valid, whole, its passwords hashed. */
export interface PreparedRecipe {
  document: Record<string, unknown>;
  validation: RecipeValidation;
  resolution: Resolution;
}

/** How a recipe is prepared. */
export interface Preparing {
  /** Told with those of the recipe. */
  more?: Violation[];
  /** Asked before passwords are hashed, which is dear: throws for who may not keep the recipe anyway. */
  admit?: () => Promise<void>;
  /** Whoever waits for it has gone. */
  signal?: AbortSignal;
}

/** As a caller is told of it: they sent, and see, a recipe as the member `recipe` of something, and a path leads there from the top. */
export function told({ errors, warnings, ...validation }: RecipeValidation): RecipeValidation {
  const whole = (violation: Violation) => ({ ...violation, path: `/recipe${violation.path}` });
  return { ...validation, errors: errors.map(whole), warnings: warnings.map(whole) };
}

/** Turns what a caller sent into a recipe that may be kept. */
@Injectable()
export class RecipeDocuments {
  constructor(
    private readonly validator: RecipeValidator,
    private readonly hasher: PasswordHasher,
  ) {}

  /** @throws AppError `invalid_recipe` that names every error */
  async prepare(caller: Caller, input: unknown, { more = [], admit, signal }: Preparing = {}): Promise<PreparedRecipe> {
    const { validation: found, recipe, resolution } = await this.validator.check(input);
    const validation = told(found);
    const errors = [...more, ...validation.errors];
    if (errors.length || !recipe || !resolution) throw invalidRecipe(errors);
    if (recipe.users.some(({ password }) => password !== undefined)) await admit?.();
    await this.hashPasswords(caller, recipe, signal);
    return { document: JSON.parse(JSON.stringify(recipe)) as Record<string, unknown>, validation, resolution };
  }

  private async hashPasswords(caller: Caller, recipe: RecipeDto, signal: AbortSignal | undefined): Promise<void> {
    for (const user of recipe.users) {
      if (user.password === undefined) continue;
      user.password_hash = await this.hasher.hash(
        user.password,
        { ownerId: caller.ownerId, recipe: recipe.name, user: user.username },
        signal,
      );
      delete user.password;
    }
  }
}

function invalidRecipe(errors: Violation[]): AppError {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new AppError({
    kind: 'invalid',
    reason: 'invalid_recipe',
    message: `The recipe is not valid. ${first ? `${first.path || '/'}: ${first.message}${more}` : ''}`.trim(),
    hint: 'Correct every path in violations; validate_recipe checks a recipe without creating anything.',
    violations: errors,
  });
}
