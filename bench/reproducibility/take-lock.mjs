// The part of a build that both builds share: a factory that is started for it prepares the recipe, apt resolves it, the packages are fetched.
import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serialize } from 'node:v8';
import { loadSettings, parseInput } from '#libs/platform';
import { AptPackageSource, RecipeDto, RecipeReader } from '#libs/recipes';
import { startFactory } from '../../dist/apps/cli/src/factory/start-factory.js';
import { FetchStage } from '../../dist/libs/builds/src/pipeline/stages/fetch.stage.js';
import { ResolveStage } from '../../dist/libs/builds/src/pipeline/stages/resolve.stage.js';

const caller = { kind: 'anonymous', ownerId: 'bench', address: '127.0.0.1', principalId: 'bench' };

/** @returns the files and the pool that a build-image.mjs needs */
export async function takeLock(recipe, dir, { signal, log }) {
  const { settings } = loadSettings({ OPENFACTORY_DATA_DIR: path.join(dir, 'factory'), OPENFACTORY_HOST: '127.0.0.1', OPENFACTORY_PORT: '0', OPENFACTORY_ROLES: 'api', OPENFACTORY_LOG_LEVEL: 'warn' });
  const factory = await startFactory(settings);
  try {
    const prepared = await factory.app.get(RecipeReader, { strict: false }).prepare(caller, recipe);
    const { document, resolution } = prepared;
    const workDir = path.join(dir, 'shared');
    const [poolDir, lockDir, preparedFile] = [path.join(dir, 'pool'), path.join(workDir, 'resolve'), path.join(dir, 'prepared')];
    const state = { input: { buildId: 'lock', ownerId: caller.ownerId, recipe: document }, recipe: parseInput(RecipeDto, document), resolution, aptSources: [], layers: [], squashfs: [] };
    const context = { workDir, signal, progress: () => undefined, log };
    for (const stage of [new ResolveStage(factory.app.get(AptPackageSource, { strict: false })), new FetchStage(poolDir)]) {
      const outDir = path.join(workDir, stage.name);
      await mkdir(outDir, { recursive: true, mode: 0o755 });
      await stage.make(state, outDir, context);
      await stage.take(state, outDir, '');
    }
    await writeFile(preparedFile, serialize({ document: JSON.parse(JSON.stringify(document)), resolution, aptSources: state.aptSources }));
    return { poolDir, lockDir, preparedFile };
  } finally {
    await factory.stop();
  }
}
