import { Injectable } from '@nestjs/common';
import { RecipeReader, type RecipeDto, type Resolution } from '#libs/recipes';
import { ownGrant, parseInput } from '#libs/platform';
import { RecipeDto as RecipeClass } from '#libs/recipes';
import type { PipelineInput } from './build-pipeline.port.js';

/** Turns the stored recipe of a build into what the stages work with. Resolved anew: features may have changed since it was stored. */
@Injectable()
export class RecipeResolver {
  constructor(private readonly recipes: RecipeReader) {}

  async resolve({ recipe, ownerId }: PipelineInput): Promise<{ recipe: RecipeDto; resolution: Resolution }> {
    const { document, resolution } = await this.recipes.prepare(
      { ...ownGrant(ownerId), address: '', checkedAt: 0 },
      recipe,
    );
    return { recipe: parseInput(RecipeClass, document), resolution };
  }
}
