import { IsDefined, IsObject, IsOptional } from 'class-validator';
import { Doc, Out, schemaOf, schemaRef } from '#libs/platform';
import { listChanges } from './modify/list-changes.js';
import { Text } from './schema/field.decorators.js';
import { outlineOf } from './schema/recipe-schema.js';
import { RecipeDto } from './schema/recipe.dto.js';
import { catalogueId, oneLine, recipeName } from './schema/text-rules.js';

const text = { type: 'string' };
const listOf = (items: object) => ({ type: 'array', items });
const words = listOf(text);
const orNull = (type: string, more: object = {}) => ({ type: [type, 'null'], ...more });
const object = { type: 'object', additionalProperties: true };

const recipeOutline = outlineOf(schemaOf(RecipeDto));

const modificationsSchema = {
  type: 'object',
  default: {},
  properties: Object.fromEntries(
    Object.entries(listChanges).map(([name, { doc, act, list }]) => [
      name,
      { type: 'array', description: doc, items: act === 'add' ? recipeOutline.properties?.[list]?.items : text },
    ]),
  ),
  additionalProperties: true,
};

const recipeId = 'A template ("debian-server"), or a recipe of your own ("rcp-…").';

export class ListRecipesInput {
  @Text(catalogueId, 'Only this category; list_recipe_categories names them.') category?: string;
  @Text(oneLine, 'Words that must all occur in the id, title, description, tags or features.', { maxLength: 200 })
  search?: string;
}

export class ListRecipeCategoriesInput {}

export class GetRecipeInput {
  @Text(oneLine, recipeId, { required: true, maxLength: 100 }) recipe_id: string;
}

export class ValidateRecipeInput {
  @IsDefined({ message: 'must be a recipe' })
  @Doc('The recipe, as an object or as its JSON text. name and base_image are required.', recipeOutline)
  recipe: unknown;
}

export class CreateRecipeInput {
  @Text(oneLine, `What to start from. ${recipeId}`, { required: true, maxLength: 100 }) template_id: string;
  @Text(recipeName, 'Name of the new recipe; unique among your own.', { required: true }) name: string;
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  @Doc(
    'Changes: any field of the recipe as a JSON merge patch (null removes a field, a list replaces the whole list), and these changes of lists.',
    modificationsSchema,
  )
  modifications: Record<string, unknown> = {};
  @Text(oneLine, 'The same key with the same input returns the first result instead of making a second recipe.', {
    maxLength: 255,
  })
  idempotency_key?: string;
}
export class RecipeSummary {
  @Out('Id for get_recipe and create_recipe_from_template.', text) id: string;
  @Out('template: comes with the factory; recipe: your own.', { type: 'string', enum: ['template', 'recipe'] }) kind:
    'template' | 'recipe';
  @Out('Title.', text) title: string;
  @Out('What it is for.', text) description: string;
  @Out('Category; null for a recipe of your own whose template is gone.', orNull('string')) category: string | null;
  @Out('Tags.', words) tags: string[];
  @Out('Base image.', text) base_image: string;
  @Out('Features that it names.', words) features: string[];
  @Out('What your own recipe was made from.', orNull('string')) template_id: string | null;
  @Out('When your own recipe was made.', orNull('string', { format: 'date-time' })) created_at: string | null;
}

export class RecipeList {
  @Out('Templates first, then your own recipes, the newest first.', listOf(schemaRef('RecipeSummary')))
  recipes: RecipeSummary[];
  @Out('How many there are.', { type: 'integer' }) total: number;
}

export class RecipeCategory {
  @Out('Id for list_recipes.', text) id: string;
  @Out('Title.', text) title: string;
  @Out('What its templates are for.', text) description: string;
  @Out('How many templates it has.', { type: 'integer' }) template_count: number;
}

export class RecipeCategoryList {
  @Out('Categories.', listOf(schemaRef('RecipeCategory'))) categories: RecipeCategory[];
}

export class RecipeDetails {
  @Out('Id.', text) id: string;
  @Out('template: comes with the factory; recipe: your own.', { type: 'string', enum: ['template', 'recipe'] }) kind:
    'template' | 'recipe';
  @Out('Title.', text) title: string;
  @Out('What it is for.', text) description: string;
  @Out('Category.', orNull('string')) category: string | null;
  @Out('Tags.', words) tags: string[];
  @Out('What your own recipe was made from.', orNull('string')) template_id: string | null;
  @Out('The whole recipe.', object) recipe: Record<string, unknown>;
  @Out('When your own recipe was made.', orNull('string', { format: 'date-time' })) created_at: string | null;
  @Out('When your own recipe was last changed.', orNull('string', { format: 'date-time' })) updated_at: string | null;
}

export class RecipeFinding {
  @Out('JSON Pointer of the field, from the top of what was sent: /recipe for the whole recipe.', text) path: string;
  @Out('Stable word for the kind of finding.', text) code: string;
  @Out('What is wrong.', text) message: string;
  @IsOptional()
  @Out('What was probably meant.', text)
  suggestion?: string;
}

export class ResolvedRecipeService {
  @Out('Service.', text) name: string;
  @Out('Its whole configuration, defaults included.', object) config: Record<string, unknown>;
}

export class ResolvedRecipeOutput {
  @Out('Id of the base image.', text) base_image: string;
  @Out('All features, required ones included.', words) features: string[];
  @Out('Packages installed on top of the base, without their dependencies.', words) packages: string[];
  @Out('Services with their whole configuration.', listOf(schemaRef('ResolvedRecipeService')))
  services: ResolvedRecipeService[];
  @Out('Estimated size of the ISO; null while the package index is not loaded.', orNull('integer'))
  estimated_size_bytes: number | null;
  @Out('Estimated time to build and test; null while the package index is not loaded.', orNull('integer'))
  estimated_seconds: number | null;
}

export class RecipeValidationOutput {
  @Out('Whether the recipe can be built.', { type: 'boolean' }) valid: boolean;
  @Out('Everything that must be corrected.', listOf(schemaRef('RecipeFinding'))) errors: RecipeFinding[];
  @Out(
    'Worth knowing: features that were added, daemons on one port, nobody can log in.',
    listOf(schemaRef('RecipeFinding')),
  )
  warnings: RecipeFinding[];
  @Out('What the recipe comes to; null where the base image is not known.', {
    anyOf: [schemaRef('ResolvedRecipeOutput'), { type: 'null' }],
  })
  resolved: ResolvedRecipeOutput | null;
}

export class CreatedRecipe {
  @Out('Id of the new recipe.', text) recipe_id: string;
  @Out('Name.', text) name: string;
  @Out('What it was made from.', text) template_id: string;
  @Out('The whole recipe; passwords are hashes.', object) recipe: Record<string, unknown>;
  @Out('Its validation.', schemaRef('RecipeValidationOutput')) validation: RecipeValidationOutput;
  @Out('When it was made.', { type: 'string', format: 'date-time' }) created_at: string;
}

export class BaseImageSummary {
  @Out('Id for base_image.', text) id: string;
  @Out('Other names.', words) aliases: string[];
  @Out('Title.', text) title: string;
  @Out('What it is.', text) description: string;
  @Out('deb or rpm.', text) package_format: string;
  @Out('Whether this factory can build it.', { type: 'boolean' }) available: boolean;
  @Out('Why it cannot be built.', orNull('string')) unavailable_reason: string | null;
  @Out('What to use instead.', orNull('string')) nearest: string | null;
  @Out('When its package index was last fetched.', orNull('string', { format: 'date-time' })) packages_refreshed_at:
    string | null;
  @Out('How many packages its archive has; 0 while the index is not loaded.', { type: 'integer' })
  package_count: number;
}

export class BaseImageSummaryList {
  @Out('Base images.', listOf(schemaRef('BaseImageSummary'))) base_images: BaseImageSummary[];
}

export class RecipeFeatureList {
  @Out('Features.', listOf(schemaRef('RecipeFeatureDto'))) features: object[];
}

export class RecipeServiceSummary {
  @Out('Id for services[].name.', text) id: string;
  @Out('Title.', text) title: string;
  @Out('What it configures.', text) description: string;
  @Out('Feature that it needs.', text) feature: string;
  @Out('JSON Schema of its config.', object) config_schema: object;
}

export class RecipeServiceList {
  @Out('Services.', listOf(schemaRef('RecipeServiceSummary'))) services: RecipeServiceSummary[];
}
