// One build in a process of its own: `build-image.mjs ORDER_FILE` (see ../reproducibility.bench.mjs). Stages, runner and cache are the product's;
// only resolve is not: it hands out the lock that both builds share. Nothing is booted.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline as pipe } from 'node:stream/promises';
import { deserialize } from 'node:v8';
import { parseInput } from '#libs/platform';
import { RecipeDto } from '#libs/recipes';
import { LayeredBuildPipeline } from '../../dist/libs/builds/src/pipeline/layered-build-pipeline.js';
import { StageCache } from '../../dist/libs/builds/src/pipeline/stage-cache.js';
import { BaseStage } from '../../dist/libs/builds/src/pipeline/stages/base.stage.js';
import { ConfigureStage } from '../../dist/libs/builds/src/pipeline/stages/configure.stage.js';
import { FetchStage } from '../../dist/libs/builds/src/pipeline/stages/fetch.stage.js';
import { ImageStage } from '../../dist/libs/builds/src/pipeline/stages/image.stage.js';
import { InitramfsStage } from '../../dist/libs/builds/src/pipeline/stages/initramfs.stage.js';
import { PackagesStage } from '../../dist/libs/builds/src/pipeline/stages/packages.stage.js';
import { SquashfsStage } from '../../dist/libs/builds/src/pipeline/stages/squashfs.stage.js';

const { dir, poolDir, lockDir, preparedFile } = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { document, resolution, aptSources } = deserialize(await readFile(preparedFile));
const inherited = `TZ ${process.env.TZ}, LC_ALL ${process.env.LC_ALL}, umask ${process.umask().toString(8).padStart(3, '0')}, cwd ${process.cwd()}, hostname ${os.hostname()}`;
// As the product's command line does (apps/cli/src/main.ts).
process.umask(0o022);

const lockFiles = ['lock.json', 'sources.json'];
const sharedLock = {
  name: 'resolve',
  version: 1,
  inputs: () => undefined,
  make: async (_state, outDir) => {
    for (const name of lockFiles) await copyFile(path.join(lockDir, name), path.join(outDir, name));
  },
  take: async (state, outDir) => {
    state.lock = JSON.parse(await readFile(path.join(outDir, 'lock.json'), 'utf8'));
    state.aptSources = aptSources;
  },
};

async function sha256Of(file) {
  const hash = createHash('sha256');
  await pipe(createReadStream(file), hash);
  return hash.digest('hex');
}

/** What there is to compare, in the order it was made, each with the stage that made it. */
async function partsOf({ squashfs, boot, image }) {
  const madeBy = { base: 'base', packages: 'packages', recipe: 'configure' };
  return [
    ...squashfs.map(({ name, path: file, sha256 }) => ({ part: name, stage: madeBy[/-(\w+)\.squashfs$/.exec(name)?.[1]] ?? 'squashfs', file, sha256, isLayer: true })),
    { part: 'kernel', stage: 'base', file: boot.kernelPath, sha256: await sha256Of(boot.kernelPath) },
    { part: 'initrd', stage: 'initramfs', file: boot.initrdPath, sha256: await sha256Of(boot.initrdPath) },
    { part: 'ISO', stage: 'image', file: image.path, sha256: image.sha256, sizeBytes: image.sizeBytes },
  ];
}

let parts;
/** In the place of the boot: looks at what the stages made, and writes the reports that the runner asks for. */
const inspection = {
  name: 'boot',
  version: 1,
  inputs: () => undefined,
  make: async (state, outDir) => {
    parts = await partsOf(state);
    for (const name of ['boot.json', 'serial.log']) await writeFile(path.join(outDir, name), 'not booted\n');
  },
  take: async (state, outDir) => {
    state.bootReport = { jsonPath: path.join(outDir, 'boot.json'), serialPath: path.join(outDir, 'serial.log'), screenshotPath: undefined };
  },
};

const workDir = path.join(dir, 'work');
await mkdir(workDir, { recursive: true, mode: 0o755 });
const cache = new StageCache(path.join(dir, 'cache'));
const stages = [sharedLock, new FetchStage(poolDir), new BaseStage(), new PackagesStage(), new ConfigureStage(), new InitramfsStage(), new SquashfsStage(cache), new ImageStage(), inspection];
const recipes = { resolve: () => Promise.resolve({ recipe: parseInput(RecipeDto, document), resolution }) };
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

const seconds = {};
const listener = {
  onStageStarted: () => Promise.resolve(),
  onStageProgress: () => undefined,
  onStageFinished: (stage, result) => {
    if (result.fromCache) throw new Error(`The stage ${stage} came from a cache that should be empty.`);
    seconds[stage] = result.seconds;
    return Promise.resolve();
  },
  onLog: () => undefined,
};
try {
  await new LayeredBuildPipeline({ stages, cache, recipes, workDir, tidy: () => Promise.resolve() }).run({ buildId: 'reproducibility', ownerId: 'bench', recipe: document }, listener, stop.signal);
  const kept = [];
  for (const one of parts) {
    const file = path.join(dir, one.part);
    await link(one.file, file);
    kept.push({ ...one, file });
  }
  await writeFile(path.join(dir, 'report.json'), JSON.stringify({ inherited, seconds, parts: kept }));
} catch (error) {
  console.error(`${error.stage ?? 'build'}: ${error.stack ?? error}`, error.lastLines ?? '');
  process.exitCode = 1;
}
