// Builds every template on every base and boots the image, as a build does: `npm run bench -- templates`. Hours on a small machine, so what
// succeeded is kept in `--dir` (/var/tmp/openfactory-templates) and a run that was stopped goes on. `-- NAME …` takes some templates only,
// `--base ID` one base, `--again` forgets what is kept.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadCatalogue } from '../dist/libs/recipes/src/catalogue/catalogue-loader.js';
import { Factory } from './vm/factory.mjs';

const { values: options, positionals: names } = parseArgs({ allowPositionals: true, options: { dir: { type: 'string', default: '/var/tmp/openfactory-templates' }, base: { type: 'string' }, again: { type: 'boolean', default: false } } });
const catalogue = loadCatalogue();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(new Error('Stopped.')));

/** Each template on each base; what a name stands for must exist, or nothing would be built and all seem well. */
function chosen() {
  for (const name of names) if (!catalogue.findTemplate(name)) throw new Error(`There is no template ${name}.`);
  const bases = catalogue.availableBases.filter(({ id }) => !options.base || id === options.base);
  if (!bases.length) throw new Error(`${options.base} cannot be built.`);
  const templates = catalogue.templates.filter(({ id }) => !names.length || names.includes(id));
  return templates.flatMap(({ id, recipe }) => bases.map((base) => ({ key: `${id} on ${base.id}`, recipe: { ...recipe, base_image: base.id } })));
}

class Results {
  #file = path.join(options.dir, 'results.json');
  #all = {};

  async load() {
    if (!options.again) this.#all = JSON.parse(await readFile(this.#file, 'utf8').catch(() => '{}'));
  }

  /** What was found of this very recipe before; failures are tried again. */
  passed({ key, recipe }) {
    const known = this.#all[key];
    return known?.status === 'completed' && known.recipe === hashOf(recipe) ? known : undefined;
  }

  async keep({ key, recipe }, result) {
    this.#all[key] = { recipe: hashOf(recipe), ...result };
    await writeFile(`${this.#file}.new`, `${JSON.stringify(this.#all, null, 2)}\n`);
    await rename(`${this.#file}.new`, this.#file);
    return this.#all[key];
  }
}

const hashOf = (recipe) => createHash('sha256').update(JSON.stringify(recipe)).digest('hex');

async function buildAndBoot(factory, recipe) {
  const began = performance.now();
  let id;
  try {
    id = await factory.build(recipe, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) throw error;
    return { status: 'failed', seconds: secondsSince(began), error: error.message.slice(0, 2000) };
  }
  const { stages, artifacts = [] } = await factory.call('GET', `builds/${id}`);
  const boot = stages.find(({ name }) => name === 'boot');
  const image = artifacts.find(({ name }) => name.endsWith('.iso'));
  await factory.call('DELETE', `builds/${id}`);
  return { status: 'completed', seconds: secondsSince(began), bootSeconds: boot?.seconds, imageMiB: image && Math.round(image.size_bytes / 2 ** 20) };
}

const secondsSince = (began) => Math.round((performance.now() - began) / 1000);

async function run() {
  await mkdir(path.join(options.dir, 'factory'), { recursive: true });
  for (const dir of [options.dir, path.join(options.dir, 'factory')]) await chmod(dir, 0o755);
  const work = chosen();
  const results = new Results();
  await results.load();
  const table = {};
  const factory = new Factory(path.join(options.dir, 'factory'));
  await factory.start();
  try {
    for (const [at, one] of work.entries()) {
      const known = results.passed(one);
      const result = known ?? (await results.keep(one, await buildAndBoot(factory, one.recipe)));
      console.log(`${at + 1}/${work.length} ${one.key}: ${result.status}${known ? ' (before)' : ` in ${result.seconds} s`}${result.error ? `\n  ${result.error}` : ''}`);
      const { status, seconds, bootSeconds, imageMiB } = result;
      table[one.key] = { status, seconds, 'boot s': bootSeconds, 'image MiB': imageMiB };
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error('Stopped; the same command goes on from here.');
  } finally {
    await factory.stop();
    console.table(table);
  }
  const failed = Object.values(table).filter(({ status }) => status !== 'completed').length;
  console.log(`${Object.keys(table).length - failed} of ${work.length} built and booted${failed ? `, ${failed} FAILED` : ''}. Kept: ${options.dir}`);
  if (failed || stop.signal.aborted) process.exitCode = 1;
}

await run();
