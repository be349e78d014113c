import path from 'node:path';
import { Module } from '@nestjs/common';
import { Settings } from '#libs/platform';
import { AptPackageSource, RecipesModule } from '#libs/recipes';
import { BootSnapshotOffers, Hypervisor, HypervisorModule } from '#libs/hypervisor';
import { BuildPipeline } from './build-pipeline.port.js';
import { DiskGuard } from './disk-guard.js';
import { LayeredBuildPipeline } from './layered-build-pipeline.js';
import { pruneCache } from './prune-cache.js';
import { RecipeResolver } from './recipe-resolver.js';
import { StageCache } from './stage-cache.js';
import { BaseStage } from './stages/base.stage.js';
import { BootStage } from './stages/boot.stage.js';
import { ConfigureStage } from './stages/configure.stage.js';
import { FetchStage } from './stages/fetch.stage.js';
import { ImageStage } from './stages/image.stage.js';
import { InitramfsStage } from './stages/initramfs.stage.js';
import { PackagesStage } from './stages/packages.stage.js';
import { ResolveStage } from './stages/resolve.stage.js';
import { SquashfsStage } from './stages/squashfs.stage.js';
import { discardTrees, makeEnclosedDir } from './tree/owned-dir.js';

@Module({
  imports: [RecipesModule, HypervisorModule],
  providers: [
    RecipeResolver,
    {
      provide: BuildPipeline,
      inject: [Settings, AptPackageSource, Hypervisor, BootSnapshotOffers, RecipeResolver],
      useFactory: async (
        settings: Settings,
        packages: AptPackageSource,
        hypervisor: Hypervisor,
        offers: BootSnapshotOffers,
        recipes: RecipeResolver,
      ) => {
        const dir = path.join(settings.dataDir, 'builds');
        const dirs = { cacheDir: path.join(dir, 'cache'), poolDir: path.join(dir, 'pool') };
        if (settings.roles.includes('worker')) await makeEnclosedDir(dir);
        const cache = new StageCache(dirs.cacheDir);
        const bootDir = path.join(settings.dataDir, 'boot-checks');
        // The order matters: each stage takes what the ones before it made.
        const stages = [
          new ResolveStage(packages, cache),
          new FetchStage(dirs.poolDir),
          new BaseStage(),
          new PackagesStage(),
          new ConfigureStage(),
          new InitramfsStage(),
          new SquashfsStage(cache),
          new ImageStage(),
          new BootStage(hypervisor, offers, bootDir),
        ];
        const pipeline = new LayeredBuildPipeline({
          stages,
          cache,
          recipes,
          disk: new DiskGuard(dir),
          workDir: path.join(dir, 'work'),
          bootDir,
          tidy: async () => void (await pruneCache(dirs, settings.cacheMaxGb * 2 ** 30)),
        });
        // Only the worker of this data directory writes there, and it runs no build yet. What strangers made may take its time, so nobody waits for it.
        if (settings.roles.includes('worker')) void discardTrees(await pipeline.leftOvers());
        return pipeline;
      },
    },
  ],
  exports: [BuildPipeline],
})
export class PipelineModule {}
