import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiBody,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import {
  clientSignal,
  CurrentCaller,
  parseInput,
  ReadOnlyRoute,
  Refuses,
  Settings,
  Toolset,
  withIdempotencyKey,
  type Caller,
} from '#libs/platform';
import { CatalogueService } from './catalogue/catalogue.service.js';
import { RecipeService } from './recipe.service.js';
import {
  CreateRecipeInput,
  ListRecipesInput,
  ValidateRecipeInput,
  type BaseImageSummaryList,
  type CreatedRecipe,
  type RecipeCategoryList,
  type RecipeDetails,
  type RecipeFeatureList,
  type RecipeList,
  type RecipeServiceList,
  type RecipeValidationOutput,
} from './recipes.dto.js';
import { recipeSchema } from './schema/recipe-schema.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

@ApiTags('recipes')
@Toolset('recipes')
@Controller('api/recipes')
export class RecipesController {
  constructor(
    private readonly recipes: RecipeService,
    private readonly catalogue: CatalogueService,
    private readonly settings: Settings,
  ) {}

  @Get()
  @Refuses({ 400: ['unknown_category'] })
  @ApiOperation({ operationId: 'listRecipes', summary: 'Recipe templates and the caller’s own recipes' })
  @ApiQuery({ name: 'category', required: false, type: String, description: 'Only this category.' })
  @ApiQuery({
    name: 'search',
    required: false,
    type: String,
    description: 'Words that must all occur in id, title, description, tags or features.',
  })
  @ApiOkResponse(schema('RecipeList'))
  async list(@CurrentCaller() caller: Caller, @Query() query: unknown): Promise<RecipeList> {
    const recipes = await this.recipes.list(caller, parseInput(ListRecipesInput, query));
    return { recipes, total: recipes.length };
  }

  @Get('categories')
  @ApiOperation({ operationId: 'listRecipeCategories', summary: 'Categories of recipe templates' })
  @ApiOkResponse(schema('RecipeCategoryList'))
  categories(): RecipeCategoryList {
    return { categories: this.recipes.categories() };
  }

  @Get('base-images')
  @ApiOperation({ operationId: 'listBaseImages', summary: 'Base images, and whether they can be built' })
  @ApiOkResponse(schema('BaseImageSummaryList'))
  async baseImages(): Promise<BaseImageSummaryList> {
    return { base_images: await this.catalogue.baseImages() };
  }

  @Get('features')
  @ApiOperation({ operationId: 'listFeatures', summary: 'Features that a recipe may name' })
  @ApiOkResponse(schema('RecipeFeatureList'))
  features(): RecipeFeatureList {
    return { features: [...this.catalogue.features()] };
  }

  @Get('services')
  @ApiOperation({
    operationId: 'listServices',
    summary: 'Services that can be configured, with the schema of their options',
  })
  @ApiOkResponse(schema('RecipeServiceList'))
  services(): RecipeServiceList {
    return { services: this.catalogue.services() };
  }

  @Get('schema')
  @ApiOperation({ operationId: 'getRecipeSchema', summary: 'JSON Schema (draft 2020-12) of a recipe' })
  @ApiOkResponse({ schema: { type: 'object', additionalProperties: true } })
  schema(): object {
    return recipeSchema(this.settings.publicUrl);
  }

  @Get(':id')
  @Refuses({ 404: ['recipe_not_found'] })
  @ApiOperation({ operationId: 'getRecipe', summary: 'A template, or a recipe of the caller’s own' })
  @ApiParam({ name: 'id', type: String })
  @ApiOkResponse(schema('RecipeDetails'))
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<RecipeDetails> {
    return await this.recipes.get(caller, id);
  }

  @ReadOnlyRoute()
  @Post('validate')
  @HttpCode(200)
  @ApiOperation({ operationId: 'validateRecipe', summary: 'Checks a recipe; starts and stores nothing' })
  @ApiBody({ schema: { $ref: '#/components/schemas/ValidateRecipeInput' } })
  @ApiOkResponse(schema('RecipeValidationOutput'))
  async validate(@Body() body: unknown): Promise<RecipeValidationOutput> {
    return await this.recipes.validate(parseInput(ValidateRecipeInput, body).recipe);
  }

  @Post('from-template')
  @Refuses({
    400: ['invalid_recipe'],
    404: ['recipe_not_found'],
    409: ['recipe_name_taken'],
    429: ['recipe_quota'],
    503: ['too_busy', 'hash_unavailable'],
  })
  @ApiOperation({
    operationId: 'createRecipeFromTemplate',
    summary: 'Makes a recipe of the caller’s own from a template',
  })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'Instead of idempotency_key in the body.' })
  @ApiBody({ schema: { $ref: '#/components/schemas/CreateRecipeInput' } })
  @ApiCreatedResponse(schema('CreatedRecipe'))
  async createFromTemplate(
    @CurrentCaller() caller: Caller,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
    @Headers('idempotency-key') key?: string,
  ): Promise<CreatedRecipe> {
    return await this.recipes.createFromTemplate(
      caller,
      parseInput(CreateRecipeInput, withIdempotencyKey(body, key)),
      clientSignal(response),
    );
  }

  @Delete(':id')
  @HttpCode(204)
  @Refuses({ 404: ['recipe_not_found'] })
  @ApiOperation({ operationId: 'deleteRecipe', summary: 'Deletes a recipe of the caller’s own' })
  @ApiParam({ name: 'id', type: String })
  @ApiNoContentResponse()
  async delete(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    await this.recipes.delete(caller, id);
  }
}
