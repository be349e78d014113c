import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { PlatformModule, type EntityClass, type Settings } from '#libs/platform';
import { McpModule } from '#libs/mcp';
import { identityEntities, IdentityModule } from '#libs/identity';
import { mcpKeyEntities, McpKeysModule } from '#libs/mcp-keys';
import { recipeEntities, RecipesModule } from '#libs/recipes';
import { buildEntities, BuildsModule, PipelineModule } from '#libs/builds';
import { HypervisorModule } from '#libs/hypervisor';
import { VmAccess, VmConsoleModule, vmEntities, VmsModule } from '#libs/vms';
import { gatewayOptions } from './gateway.js';
import { WebModule } from './web/web.module.js';

export interface AppOptions {
  settings: Settings;
  databaseUrl: string;
  secret: string;
  /** Further modules, for tests: fixtures that must never be in the product's catalogue. */
  extraModules?: (Type | DynamicModule)[];
  /** Exports the BuildPipeline; tests put a quick one here. */
  pipelineModule?: Type | DynamicModule;
  /** Exports Hypervisor and GuestDisks for VMs; tests put guests here that are none. */
  hypervisorModule?: Type | DynamicModule;
  /** The console of VMs; tests put one here that reaches VMs of theirs. */
  consoleModule?: DynamicModule;
}

const entities: EntityClass[] = [
  ...identityEntities,
  ...mcpKeyEntities,
  ...recipeEntities,
  ...buildEntities,
  ...vmEntities,
];

@Module({})
export class AppModule {
  static forRoot({
    extraModules = [],
    pipelineModule = PipelineModule,
    hypervisorModule = HypervisorModule,
    consoleModule,
    ...platform
  }: AppOptions): DynamicModule {
    const builds = BuildsModule.forRoot({ pipeline: pipelineModule });
    const vms = VmsModule.forRoot({ builds, hypervisor: hypervisorModule });
    return {
      module: AppModule,
      imports: [
        PlatformModule.forRoot({ ...platform, entities }),
        McpModule.forRoot(gatewayOptions),
        IdentityModule,
        McpKeysModule,
        RecipesModule,
        builds,
        vms,
        consoleModule ?? VmConsoleModule.forRoot({ vms, access: VmAccess }),
        ...extraModules,
        WebModule,
      ],
    };
  }
}
