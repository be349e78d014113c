import { Injectable } from '@nestjs/common';
import { IdempotencyService, invalid, nearestName, notFound, type Caller } from '#libs/platform';
import { Catalogue } from './catalogue/catalogue.js';
import { applyModifications } from './modify/apply-modifications.js';
import { RecipeDocuments, told } from './recipe-document.js';
import { RecipeReader, type FoundRecipe } from './recipe.reader.js';
import { RecipeRepository } from './recipe.repository.js';
import type {
  CreateRecipeInput,
  CreatedRecipe,
  ListRecipesInput,
  RecipeCategory,
  RecipeDetails,
  RecipeSummary,
} from './recipes.dto.js';
import { RecipeValidator, type RecipeValidation } from './validation/recipe-validator.js';

/** The use cases of recipes: find one, check one, make one from a template. */
@Injectable()
export class RecipeService {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly reader: RecipeReader,
    private readonly recipes: RecipeRepository,
    private readonly validator: RecipeValidator,
    private readonly documents: RecipeDocuments,
    private readonly idempotency: IdempotencyService,
  ) {}

  /** Templates first, then the caller's own recipes, the newest first. */
  async list(caller: Caller, { category, search }: ListRecipesInput): Promise<RecipeSummary[]> {
    if (category !== undefined && !this.catalogue.findCategory(category)) throw this.unknownCategory(category);
    const templates = this.catalogue.templates.map((template) =>
      summaryOf({
        ...template,
        kind: 'template',
        document: template.recipe,
        templateId: null,
        createdAt: null,
        updatedAt: null,
      }),
    );
    const own = (await this.recipes.list(caller.ownerId)).map((recipe) => {
      const origin = recipe.templateId === null ? undefined : this.catalogue.findTemplate(recipe.templateId);
      return summaryOf({
        ...recipe,
        kind: 'recipe',
        title: recipe.name,
        description: textOf(recipe.document.description),
        category: origin?.category ?? null,
        tags: origin?.tags ?? [],
      });
    });
    const words = (search ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    return [...templates, ...own].filter(
      (recipe) =>
        (category === undefined || recipe.category === category) &&
        words.every((word) => searchText(recipe).includes(word)),
    );
  }

  categories(): RecipeCategory[] {
    const count = (id: string) => this.catalogue.templates.filter(({ category }) => category === id).length;
    return this.catalogue.categories.map(({ id, title, description }) => ({
      id,
      title,
      description,
      template_count: count(id),
    }));
  }

  /** @throws AppError `recipe_not_found` */
  async get(caller: Caller, id: string): Promise<RecipeDetails> {
    const { document, templateId, createdAt, updatedAt, ...found } = await this.reader.get(caller, id);
    return {
      ...found,
      template_id: templateId,
      recipe: document,
      created_at: createdAt?.toISOString() ?? null,
      updated_at: updatedAt?.toISOString() ?? null,
    };
  }

  async validate(input: unknown): Promise<RecipeValidation> {
    return told(await this.validator.validate(input));
  }

  /**
   * Makes a recipe of the caller's own from a template (or from another recipe of theirs).
   * @throws AppError `recipe_not_found`, `invalid_recipe`, `recipe_name_taken`, `recipe_quota`, `idempotency_key_reused`
   */
  async createFromTemplate(
    caller: Caller,
    { template_id, name, modifications, idempotency_key }: CreateRecipeInput,
    signal?: AbortSignal,
  ): Promise<CreatedRecipe> {
    const { id: templateId, document } = await this.reader.get(caller, template_id);
    // Outside the transaction: it asks the package index on other connections of the same pool.
    const { recipe, violations } = applyModifications({ ...document, name }, modifications);
    if (recipe.name !== name)
      violations.push({
        path: '/modifications/name',
        code: 'name_twice',
        message: 'says something else than the name of the new recipe',
      });
    const request = {
      operation: 'create_recipe_from_template',
      key: idempotency_key,
      body: { template_id, name, modifications },
    };
    const admit = async () => {
      if (!(await this.idempotency.knows(caller, request))) await this.recipes.checkRoom(caller.ownerId);
    };
    const prepared = await this.documents.prepare(
      caller,
      { ...recipe, name },
      { more: violations, admit, ...(signal && { signal }) },
    );
    return await this.idempotency.once(caller, request, async (manager) => {
      const stored = await this.recipes.insert(manager, {
        ownerId: caller.ownerId,
        name,
        templateId,
        document: prepared.document,
      });
      return {
        recipe_id: stored.id,
        name,
        template_id: templateId,
        recipe: prepared.document,
        validation: prepared.validation,
        created_at: stored.createdAt.toISOString(),
      };
    });
  }

  /** @throws AppError `recipe_not_found` (also for templates, which are nobody's own) */
  async delete(caller: Caller, id: string): Promise<void> {
    if (!(await this.recipes.delete(caller.ownerId, id)))
      throw notFound('recipe', id, 'Only your own recipes can be deleted.');
  }

  private unknownCategory(category: string) {
    const known = this.catalogue.categories.map(({ id }) => id);
    const nearest = nearestName(category, known);
    return invalid(
      'unknown_category',
      `There is no category "${category}".`,
      nearest ? `Did you mean "${nearest}"? list_recipe_categories shows all.` : `There are ${known.join(', ')}.`,
    );
  }
}

function summaryOf({
  id,
  kind,
  title,
  description,
  category,
  tags,
  document,
  templateId,
  createdAt,
}: FoundRecipe): RecipeSummary {
  const features = Array.isArray(document.features) ? document.features.map(String) : [];
  return {
    id,
    kind,
    title,
    description,
    category,
    tags,
    base_image: textOf(document.base_image),
    features,
    template_id: templateId,
    created_at: createdAt?.toISOString() ?? null,
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function searchText({ id, title, description, tags, features }: RecipeSummary): string {
  return [id, title, description, ...tags, ...features].join(' ').toLowerCase();
}
