// A build by the product's own runner, stages and cache, of a prepared recipe; nothing is booted.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseInput } from '#libs/platform';
import { RecipeDto } from '#libs/recipes';
import { DiskGuard } from '../../dist/libs/builds/src/pipeline/disk-guard.js';
import { LayeredBuildPipeline } from '../../dist/libs/builds/src/pipeline/layered-build-pipeline.js';
import { StageCache } from '../../dist/libs/builds/src/pipeline/stage-cache.js';
import { BaseStage } from '../../dist/libs/builds/src/pipeline/stages/base.stage.js';
import { ConfigureStage } from '../../dist/libs/builds/src/pipeline/stages/configure.stage.js';
import { FetchStage } from '../../dist/libs/builds/src/pipeline/stages/fetch.stage.js';
import { ImageStage } from '../../dist/libs/builds/src/pipeline/stages/image.stage.js';
import { InitramfsStage } from '../../dist/libs/builds/src/pipeline/stages/initramfs.stage.js';
import { PackagesStage } from '../../dist/libs/builds/src/pipeline/stages/packages.stage.js';
import { SquashfsStage } from '../../dist/libs/builds/src/pipeline/stages/squashfs.stage.js';

/** In the place of the boot: lets the benchmark look at what the stages made, and writes the reports that the runner asks for. */
function inspection(inspect) {
  return {
    name: 'boot',
    version: 1,
    inputs: () => undefined,
    needsBytes: () => Promise.resolve(0),
    make: async (state, outDir) => {
      await inspect(state);
      for (const name of ['boot.json', 'serial.log']) await writeFile(path.join(outDir, name), 'not booted\n');
    },
    take: async (state, outDir) => {
      state.bootReport = {
        jsonPath: path.join(outDir, 'boot.json'),
        serialPath: path.join(outDir, 'serial.log'),
        screenshotPath: undefined,
      };
    },
  };
}

/**
 * @param dirs `workDir`, `cacheDir` and `poolDir`
 * @param resolveStage makes the stage that locks the packages, given the cache
 * @param onStageFinished as a PipelineListener's
 */
export async function buildUnbooted(
  { document, resolution },
  dirs,
  { resolveStage, inspect, onStageFinished, signal },
) {
  await mkdir(dirs.workDir, { recursive: true, mode: 0o755 });
  const cache = new StageCache(dirs.cacheDir);
  const stages = [
    resolveStage(cache),
    new FetchStage(dirs.poolDir),
    new BaseStage(),
    new PackagesStage(),
    new ConfigureStage(),
    new InitramfsStage(),
    new SquashfsStage(cache),
    new ImageStage(),
    inspection(inspect),
  ];
  const recipes = { resolve: () => Promise.resolve({ recipe: parseInput(RecipeDto, document), resolution }) };
  const listener = {
    onStageStarted: () => Promise.resolve(),
    onStageProgress: () => undefined,
    onStageFinished: async (stage, result) => onStageFinished(stage, result),
    onLog: () => undefined,
  };
  const pipeline = new LayeredBuildPipeline({
    stages,
    cache,
    recipes,
    disk: new DiskGuard(dirs.workDir),
    workDir: dirs.workDir,
    tidy: () => Promise.resolve(),
  });
  await pipeline.run({ buildId: 'bench', ownerId: 'bench', recipe: document }, listener, signal);
}
