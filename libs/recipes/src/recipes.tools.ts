import { Injectable } from '@nestjs/common';
import type { Caller } from '#libs/platform';
import { Tool, type CallContext } from '#libs/mcp';
import { RecipeService } from './recipe.service.js';
import {
  CreatedRecipe,
  CreateRecipeInput,
  GetRecipeInput,
  ListRecipeCategoriesInput,
  ListRecipesInput,
  RecipeCategoryList,
  RecipeDetails,
  RecipeList,
  RecipeValidationOutput,
  ValidateRecipeInput,
} from './recipes.dto.js';

@Injectable()
export class RecipesTools {
  constructor(private readonly recipes: RecipeService) {}

  @Tool({
    name: 'list_recipes',
    title: 'List recipes',
    description:
      'Lists the recipe templates that come with the factory and the recipes of your own, optionally of one category or by search words. Use it first when somebody asks for a kind of system. Returns id, title, description, base image and features of each; call get_recipe for a whole recipe, or create_recipe_from_template to make your own from one.',
    toolset: 'recipes',
    input: ListRecipesInput,
    output: RecipeList,
    readOnly: true,
    destructive: false,
    idempotent: true,
    openWorld: false,
  })
  async listRecipes(caller: Caller, input: ListRecipesInput): Promise<RecipeList> {
    const recipes = await this.recipes.list(caller, input);
    return { recipes, total: recipes.length };
  }

  @Tool({
    name: 'list_recipe_categories',
    title: 'List recipe categories',
    description:
      'Lists the categories of recipe templates, each with a description and the number of its templates. Use it to see what kinds of systems there are; then call list_recipes with a category.',
    toolset: 'recipes',
    input: ListRecipeCategoriesInput,
    output: RecipeCategoryList,
    readOnly: true,
    destructive: false,
    idempotent: true,
    openWorld: false,
  })
  listRecipeCategories(): Promise<RecipeCategoryList> {
    return Promise.resolve({ categories: this.recipes.categories() });
  }

  @Tool({
    name: 'get_recipe',
    title: 'Get a recipe',
    description:
      'Gives a whole recipe, a template or one of your own: base image, features, packages, services, users, tests and the rest. Use it before changing or building a recipe; then call validate_recipe or create_recipe_from_template.',
    toolset: 'recipes',
    input: GetRecipeInput,
    output: RecipeDetails,
    readOnly: true,
    destructive: false,
    idempotent: true,
    openWorld: false,
  })
  async getRecipe(caller: Caller, { recipe_id }: GetRecipeInput): Promise<RecipeDetails> {
    return await this.recipes.get(caller, recipe_id);
  }

  @Tool({
    name: 'validate_recipe',
    title: 'Validate a recipe',
    description:
      'Checks a recipe without building or storing anything: fields, base image, features and what they require, packages in the real archive of the base, services, users, tests. Use it before you rely on a recipe, and again after each correction. Returns valid, all errors at once with path and suggestion, warnings, and what the recipe comes to with estimated size and time. Correct every error, then validate again; a valid recipe is ready for create_build.',
    toolset: 'recipes',
    input: ValidateRecipeInput,
    output: RecipeValidationOutput,
    readOnly: true,
    destructive: false,
    idempotent: true,
    openWorld: false,
  })
  async validateRecipe(_caller: Caller, { recipe }: ValidateRecipeInput): Promise<RecipeValidationOutput> {
    return await this.recipes.validate(recipe);
  }

  @Tool({
    name: 'create_recipe_from_template',
    title: 'Create a recipe from a template',
    description:
      'Makes a recipe of your own from a template (or from another recipe of yours) under a new name, with modifications, and stores it. Use it when a template is nearly what is wanted. The result must be valid, else nothing is stored and every error is told. Returns the recipe with its id and validation; create_build builds it by that id, get_recipe shows it again.',
    toolset: 'recipes',
    input: CreateRecipeInput,
    output: CreatedRecipe,
    readOnly: false,
    destructive: false,
    idempotent: false,
    openWorld: false,
  })
  async createRecipeFromTemplate(
    caller: Caller,
    input: CreateRecipeInput,
    { signal }: Pick<CallContext, 'signal'>,
  ): Promise<CreatedRecipe> {
    return await this.recipes.createFromTemplate(caller, input, signal);
  }
}
