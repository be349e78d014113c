// One build in a process of its own: `build-image.mjs ORDER_FILE` (see ../reproducibility.bench.mjs). Stages, runner and cache are the product's;
// only resolve is not: it hands out the lock that both builds share. Nothing is booted.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline as pipe } from 'node:stream/promises';
import { deserialize } from 'node:v8';
import { buildUnbooted } from '../pipeline/unbooted-build.mjs';

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
  needsBytes: () => Promise.resolve(0),
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
    ...squashfs.map(({ name, path: file, sha256 }) => ({
      part: name,
      stage: madeBy[/-(\w+)\.squashfs$/.exec(name)?.[1]] ?? 'squashfs',
      file,
      sha256,
      isLayer: true,
    })),
    { part: 'kernel', stage: 'base', file: boot.kernelPath, sha256: await sha256Of(boot.kernelPath) },
    { part: 'initrd', stage: 'initramfs', file: boot.initrdPath, sha256: await sha256Of(boot.initrdPath) },
    { part: 'ISO', stage: 'image', file: image.path, sha256: image.sha256, sizeBytes: image.sizeBytes },
  ];
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

let parts;
const seconds = {};
try {
  await buildUnbooted(
    { document, resolution },
    { workDir: path.join(dir, 'work'), cacheDir: path.join(dir, 'cache'), poolDir },
    {
      resolveStage: () => sharedLock,
      inspect: async (state) => {
        parts = await partsOf(state);
      },
      onStageFinished: (stage, result) => {
        if (result.fromCache) throw new Error(`The stage ${stage} came from a cache that should be empty.`);
        seconds[stage] = result.seconds;
      },
      signal: stop.signal,
    },
  );
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
