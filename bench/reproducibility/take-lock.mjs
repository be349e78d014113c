// The part of a build that both builds share: the recipe is prepared, apt resolves it, the packages are fetched.
import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serialize } from 'node:v8';
import { parseInput } from '#libs/platform';
import { RecipeDto } from '#libs/recipes';
import { StageCache } from '../../dist/libs/builds/src/pipeline/stage-cache.js';
import { FetchStage } from '../../dist/libs/builds/src/pipeline/stages/fetch.stage.js';
import { ResolveStage } from '../../dist/libs/builds/src/pipeline/stages/resolve.stage.js';
import { prepareRecipes } from '../pipeline/prepare-recipes.mjs';

/** @returns the files and the pool that a build-image.mjs needs */
export async function takeLock(recipe, dir, { signal, log }) {
  return prepareRecipes(
    path.join(dir, 'factory'),
    () => [recipe],
    async ([{ document, resolution }], source) => {
      const workDir = path.join(dir, 'shared');
      const [poolDir, lockDir, preparedFile] = [
        path.join(dir, 'pool'),
        path.join(workDir, 'resolve'),
        path.join(dir, 'prepared'),
      ];
      const state = {
        input: { buildId: 'lock', ownerId: 'bench', recipe: document },
        recipe: parseInput(RecipeDto, document),
        resolution,
        aptSources: [],
        layers: [],
        squashfs: [],
      };
      const context = { workDir, signal, progress: () => undefined, log };
      for (const stage of [
        new ResolveStage(source, new StageCache(path.join(dir, 'locks'))),
        new FetchStage(poolDir),
      ]) {
        const outDir = path.join(workDir, stage.name);
        await mkdir(outDir, { recursive: true, mode: 0o755 });
        await stage.make(state, outDir, context);
        await stage.take(state, outDir, '');
      }
      await writeFile(preparedFile, serialize({ document, resolution, aptSources: state.aptSources }));
      return { poolDir, lockDir, preparedFile };
    },
  );
}
