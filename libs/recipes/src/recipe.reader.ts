import { Injectable } from '@nestjs/common';
import { notFound, type Caller } from '#libs/platform';
import { Catalogue } from './catalogue/catalogue.js';
import { RecipeDocuments, type PreparedRecipe, type Preparing } from './recipe-document.js';
import { RecipeRepository } from './recipe.repository.js';
import { RecipeValidator, type RecipeValidation } from './validation/recipe-validator.js';

export interface FoundRecipe {
  id: string;
  kind: 'template' | 'recipe';
  title: string;
  description: string;
  category: string | null;
  tags: string[];
  templateId: string | null;
  document: Record<string, unknown>;
  createdAt: Date | null;
  updatedAt: Date | null;
}

/** What other modules may ask of recipes. */
@Injectable()
export class RecipeReader {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly recipes: RecipeRepository,
    private readonly validator: RecipeValidator,
    private readonly documents: RecipeDocuments,
  ) {}

  /**
   * A template, or a recipe of the caller's own.
   * @throws AppError `recipe_not_found`, in the same words for another's recipe
   */
  async get(caller: Caller, id: string): Promise<FoundRecipe> {
    const template = this.catalogue.findTemplate(id);
    if (template) {
      const { title, description, category, tags, recipe } = template;
      return {
        id,
        kind: 'template',
        title,
        description,
        category,
        tags,
        templateId: null,
        document: recipe,
        createdAt: null,
        updatedAt: null,
      };
    }
    const own = await this.recipes.find(caller.ownerId, id);
    if (!own) throw notFound('recipe', id, 'list_recipes shows the recipe templates and your own recipes.');
    const origin = own.templateId === null ? undefined : this.catalogue.findTemplate(own.templateId);
    const { document, templateId, createdAt, updatedAt } = own;
    return {
      id,
      kind: 'recipe',
      title: own.name,
      description: typeof document.description === 'string' ? document.description : '',
      category: origin?.category ?? null,
      tags: origin?.tags ?? [],
      templateId,
      document,
      createdAt,
      updatedAt,
    };
  }

  async validate(input: unknown): Promise<RecipeValidation> {
    return await this.validator.validate(input);
  }

  /**
   * The whole recipe, ready to be stored and built, and what it comes to on its base.
   * @throws AppError `invalid_recipe` that names every error
   */
  async prepare(caller: Caller, input: unknown, how: Preparing = {}): Promise<PreparedRecipe> {
    return await this.documents.prepare(caller, input, how);
  }
}
