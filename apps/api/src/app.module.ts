import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { PlatformModule, type EntityClass, type Settings } from '#libs/platform';
import { McpModule } from '#libs/mcp';
import { recipeEntities, RecipesModule } from '#libs/recipes';
import { buildEntities, BuildsModule, PipelineModule } from '#libs/builds';
import { gatewayOptions } from './gateway.js';

export interface AppOptions {
  settings: Settings;
  databaseUrl: string;
  secret: string;
  /** Further modules, for tests: fixtures that must never be in the product's catalogue. */
  extraModules?: (Type | DynamicModule)[];
  /** Exports the BuildPipeline; tests put a quick one here. */
  pipelineModule?: Type | DynamicModule;
}

const entities: EntityClass[] = [...recipeEntities, ...buildEntities];

@Module({})
export class AppModule {
  static forRoot({ extraModules = [], pipelineModule = PipelineModule, ...platform }: AppOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [PlatformModule.forRoot({ ...platform, entities }), McpModule.forRoot(gatewayOptions), RecipesModule, BuildsModule.forRoot({ pipeline: pipelineModule }), ...extraModules],
    };
  }
}
