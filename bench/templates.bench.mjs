// Builds every template on every base and boots the image, as a build does: `npm run bench -- templates`. Hours on a small machine, so what
// was found is kept in `--dir` (/var/tmp/openfactory-templates) and a run that was stopped goes on: first with what was never run, then with
// what failed. `-- NAME …` takes some templates only, `--base ID` one base, `--own-base` each template's own, `--minutes N` begins nothing
// more after that time, `--before STAGE` ends each build there, as a quick look at what does not even get so far, `--summary` only prints what
// is kept, `--again` forgets it.
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadCatalogue } from '../dist/libs/recipes/src/catalogue/catalogue-loader.js';
import { stageNames } from '../dist/libs/builds/src/pipeline/build-pipeline.port.js';
import { Results } from './templates/results.mjs';
import { Factory } from './vm/factory.mjs';

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string', default: '/var/tmp/openfactory-templates' },
    base: { type: 'string' },
    'own-base': { type: 'boolean' },
    minutes: { type: 'string' },
    before: { type: 'string' },
    summary: { type: 'boolean' },
    again: { type: 'boolean' },
  },
});
if (options.before !== undefined && !stageNames.includes(options.before))
  throw new Error(`There is no stage ${options.before}; there are ${stageNames.join(', ')}.`);
const catalogue = loadCatalogue();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(new Error('Stopped.')));

/** Each template on each base; what a name stands for must exist, or nothing would be built and all seem well. */
function chosen() {
  for (const name of names) if (!catalogue.findTemplate(name)) throw new Error(`There is no template ${name}.`);
  const bases = catalogue.availableBases.filter(({ id }) => !options.base || id === options.base);
  if (!bases.length) throw new Error(`${options.base} cannot be built.`);
  const templates = names.length ? names.map((name) => catalogue.findTemplate(name)) : catalogue.templates;
  return templates.flatMap(({ id, recipe }) =>
    bases
      .filter((base) => !options['own-base'] || base.id === recipe.base_image)
      .map((base) => ({
        key: `${id} on ${base.id}${options.before ? `, before ${options.before}` : ''}`,
        recipe: { ...recipe, base_image: base.id },
      })),
  );
}

const hasEnough = ({ stage }) =>
  options.before !== undefined && stage !== null && stageNames.indexOf(stage) >= stageNames.indexOf(options.before);

async function buildAndBoot(factory, recipe) {
  const began = performance.now();
  let id;
  try {
    id = await factory.build(recipe, stop.signal, hasEnough);
  } catch (error) {
    if (stop.signal.aborted) throw error;
    // That says something of this machine at this hour, and nothing of the template.
    return {
      status: error.message.includes('"reason":"host_too_slow"') ? 'host too slow' : 'failed',
      seconds: secondsSince(began),
      error: error.message.slice(0, 2000),
    };
  }
  const { stages, artifacts = [] } = await factory.call('GET', `builds/${id}`);
  const boot = stages.find(({ stage }) => stage === 'boot');
  const image = artifacts.find(({ name }) => name.endsWith('.iso'));
  return {
    status: 'completed',
    seconds: secondsSince(began),
    bootSeconds: boot && Math.round(boot.seconds),
    imageMiB: image && Math.round(image.size_bytes / 2 ** 20),
  };
}

/** Images take gigabytes; and what a run that was stopped had begun would go on beside what this one builds. */
async function forgetBuilds(factory) {
  for (;;) {
    const { builds } = await factory.call('GET', 'builds?limit=200');
    if (!builds.length) return;
    for (const { build_id: id, status } of builds) {
      const hasEnded = !['pending', 'building', 'testing'].includes(status);
      // One that ends meanwhile is seen so the next time.
      await factory
        .call(...(hasEnded ? ['DELETE', `builds/${id}`] : ['POST', `builds/${id}/cancel`]))
        .catch(() => undefined);
    }
    await sleep(1_000, undefined, { signal: stop.signal });
  }
}

const secondsSince = (began) => Math.round((performance.now() - began) / 1000);

async function goOn(work, results) {
  const minutes = Number(options.minutes ?? Infinity);
  if (!(minutes > 0)) throw new Error(`--minutes ${options.minutes} is no time.`);
  const until = performance.now() + minutes * 60_000;
  const factory = new Factory(path.join(options.dir, 'factory'));
  await factory.start();
  try {
    await forgetBuilds(factory);
    for (const [at, one] of work.entries()) {
      if (performance.now() > until) return;
      const result = await results.keep(one, await buildAndBoot(factory, one.recipe));
      await forgetBuilds(factory);
      console.log(
        `${at + 1}/${work.length} ${one.key}: ${result.status} in ${result.seconds} s${result.error ? `\n  ${result.error}` : ''}`,
      );
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error('Stopped; the same command goes on from here.');
  } finally {
    await factory.stop();
  }
}

await mkdir(path.join(options.dir, 'factory'), { recursive: true });
for (const dir of [options.dir, path.join(options.dir, 'factory')]) await chmod(dir, 0o755);
const results = new Results(path.join(options.dir, 'results.json'));
if (!options.again) await results.load();
const work = chosen();
const open = work
  .filter((one) => !results.passed(one))
  .sort((a, b) => Number(!!results.find(a)) - Number(!!results.find(b)));
if (open.length && !options.summary) await goOn(open, results);
if (results.print(work) < work.length) process.exitCode = 1;
console.log(`Kept: ${options.dir}`);
