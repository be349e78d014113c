// Builds of one recipe in a process of their own, as a worker does them: `our-build.mjs ORDER_FILE REPORT_FILE` (see ../build.bench.mjs). Every stage is the product's, but for the boot.
import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { deserialize } from 'node:v8';
import { loadSettings } from '#libs/platform';
import { AptPackageSource } from '#libs/recipes';
import { ResolveStage } from '../../dist/libs/builds/src/pipeline/stages/resolve.stage.js';
import { buildUnbooted } from '../pipeline/unbooted-build.mjs';

const [orderFile, reportFile] = process.argv.slice(2);
const { dataDir, prepared, times } = deserialize(await readFile(orderFile));
// As the product's command line does (apps/cli/src/main.ts).
process.umask(0o022);
const source = new AptPackageSource(loadSettings({ OPENFACTORY_DATA_DIR: dataDir }).settings);
const builds = path.join(dataDir, 'builds');
const dirs = {
  workDir: path.join(builds, 'work'),
  cacheDir: path.join(builds, 'cache'),
  poolDir: path.join(builds, 'pool'),
};

async function build() {
  const report = { stages: {} };
  const began = performance.now();
  await buildUnbooted(prepared, dirs, {
    resolveStage: (cache) => new ResolveStage(source, cache),
    inspect: ({ lock, image }) => {
      report.wallSeconds = (performance.now() - began) / 1000;
      report.packages = [...lock.base, ...lock.added].map(({ name }) => name);
      report.packageBytes = [...lock.base, ...lock.added].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      report.imageBytes = image.sizeBytes;
    },
    onStageFinished: (stage, result) => {
      report.stages[stage] = result;
    },
    signal: new AbortController().signal,
  });
  return report;
}

try {
  const reports = [];
  while (reports.length < times) reports.push(await build());
  await writeFile(reportFile, JSON.stringify(reports));
} catch (error) {
  console.error(`${error.stage ?? 'build'}: ${error.stack ?? error}`, error.lastLines ?? '');
  process.exitCode = 1;
}
