// Our pipeline against Debian's live-build: CPU and wall seconds from resolve to image written, cold and warm. `npm run bench -- build`
// docs/benchmarks.md says what is compared; the figures there come from here. `--keep` keeps the directory with everything that was made;
// `--compression fast|balanced|small` takes another level than the recipe's own; `--skip-peer` leaves live-build out.
import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { serialize } from 'node:v8';
import { levels, squashfsBlockBytes } from '../dist/libs/builds/src/pipeline/stages/squashfs.stage.js';
import { LiveBuild, liveBuildVersion } from './build/live-build.mjs';
import { timed } from './build/timed.mjs';
import { inScratch } from './in-scratch.mjs';
import { prepareRecipes } from './pipeline/prepare-recipes.mjs';

const leastFreeBytes = 15 * 2 ** 30;
const { values: options } = parseArgs({
  options: { keep: { type: 'boolean' }, compression: { type: 'string' }, 'skip-peer': { type: 'boolean' } },
});
const stop = new AbortController();

/** Why this machine cannot run it; undefined where it can. */
async function obstacle() {
  if (process.getuid() !== 0) return 'live-build works as root only: run this as root.';
  if (!liveBuildVersion()) return 'install live-build: apt-get install live-build';
  const { bavail, bsize } = await statfs('/var/tmp');
  return bavail * bsize < leastFreeBytes ? `/var/tmp has less than ${leastFreeBytes / 2 ** 30} GiB free.` : undefined;
}

/** The minimal server; the same with one package more; another small server on the same base. */
async function chooseRecipes(template) {
  const minimal = await template('minimal-server');
  const output = { ...minimal.output, ...(options.compression && { compression: options.compression }) };
  return [
    { ...minimal, output },
    { ...minimal, output, packages: [...(minimal.packages ?? []), 'htop'] },
    { ...(await template('bastion')), output },
  ];
}

/** Builds a recipe so many times, one after the other; the CPU is that of the first and of all that follow. */
async function ourBuilds(scratch, dataDir, prepared, times) {
  const [order, report] = [path.join(scratch, 'order'), path.join(scratch, 'report.json')];
  await writeFile(order, serialize({ dataDir, prepared, times }));
  const {
    code,
    wallSeconds: processSeconds,
    cpuSeconds,
  } = await timed([process.execPath, path.join(import.meta.dirname, 'build/our-build.mjs'), order, report], {
    cwd: scratch,
    env: {},
    output: 'inherit',
    signal: stop.signal,
  });
  if (code !== 0) throw new Error('Our build failed.');
  const [first, ...repeated] = JSON.parse(await readFile(report, 'utf8'));
  return [{ ...first, processSeconds, cpuSeconds }, ...repeated];
}

const fixed = (value) => Number(value.toFixed(1));
const mebibytes = (bytes) => (bytes === undefined ? undefined : Math.round(bytes / 2 ** 20));
const verdict = (met) => (met ? 'met' : 'MISSED');

function printFigures(builds) {
  console.table(
    Object.fromEntries(
      Object.entries(builds).map(([name, { cpuSeconds, wallSeconds, processSeconds, imageBytes }]) => [
        name,
        {
          'CPU s': cpuSeconds && fixed(cpuSeconds),
          'wall s': fixed(wallSeconds),
          'process s': processSeconds && fixed(processSeconds),
          'image MiB': mebibytes(imageBytes),
        },
      ]),
    ),
  );
  const ours = Object.entries(builds).filter(([, { stages }]) => stages);
  const names = Object.keys(ours[0][1].stages).filter((stage) => !['boot', 'evidence'].includes(stage));
  console.log('seconds of our stages on the clock (c: from the cache)');
  console.table(
    Object.fromEntries(
      names.map((stage) => [
        stage,
        Object.fromEntries(
          ours.map(([name, { stages }]) => [name, `${stages[stage].seconds}${stages[stage].fromCache ? ' c' : ''}`]),
        ),
      ]),
    ),
  );
}

function printGoals({ cold, added, again, second, peerCold, peerAdded }) {
  const line = (what, value, unit, goal, met) =>
    console.log(`${what}: ${value.toFixed(2)}${unit}; goal ${goal}: ${verdict(met)}`);
  if (peerCold) {
    const ratio = cold.cpuSeconds / peerCold.cpuSeconds;
    line("cold, our CPU to live-build's", ratio, '', '<= 0.6', ratio <= 0.6);
    const faster = peerAdded.wallSeconds / added.wallSeconds;
    line("htop added, live-build's wall to ours", faster, '', '>= 5', faster >= 5);
  }
  line('htop added, our wall', added.wallSeconds, ' s', '<= 12 s', added.wallSeconds <= 12);
  line('the identical recipe again, our wall', again.wallSeconds, ' s', '<= 1 s', again.wallSeconds <= 1);
  for (const [what, key] of [
    ['CPU', 'cpuSeconds'],
    ['wall', 'wallSeconds'],
  ]) {
    const ratio = second[key] / cold[key];
    line(`a second recipe on the same base, its ${what} to cold`, ratio, '', '<= 0.5', ratio <= 0.5);
  }
}

async function measure(scratch) {
  const prepared = await prepareRecipes(path.join(scratch, 'factory'), chooseRecipes, (all) => all);
  const [{ document, resolution }] = prepared;
  const level = levels[document.output.compression];
  console.log(
    `recipe ${document.name} on ${document.base_image}; zstd level ${level}, blocks of ${squashfsBlockBytes / 1024} KiB; live-build ${liveBuildVersion()}`,
  );
  const dataDir = path.join(scratch, 'ours');
  await mkdir(dataDir, { mode: 0o755 });
  const builds = {};
  // Told as they end: the whole takes long, and a run that is stopped has said something.
  const tell = (name, build) => {
    builds[name] = build;
    console.log(
      `${name}: ${fixed(build.wallSeconds)} s wall${build.cpuSeconds === undefined ? '' : `, ${fixed(build.cpuSeconds)} s CPU`}`,
    );
  };
  for (const [index, names] of [['cold'], ['added', 'again'], ['second']].entries()) {
    const ours = await ourBuilds(scratch, dataDir, prepared[index], names.length);
    for (const [at, name] of names.entries()) tell(name, ours[at]);
  }
  const { packages, packageBytes, stages } = builds.cold;
  console.log(
    `${packages.length} packages, ${mebibytes(packageBytes)} MiB; ours fetched them in ${stages.fetch.seconds} s of its cold build; each side fetches them once from the same mirror`,
  );
  if (options['skip-peer']) return builds;
  const peerDir = path.join(scratch, 'live-build');
  await mkdir(peerDir);
  const peer = new LiveBuild(peerDir, {
    suite: resolution.base.archive.suite,
    level,
    blockBytes: squashfsBlockBytes,
    signal: stop.signal,
  });
  tell('peerCold', await peer.build(packages));
  tell('peerAdded', await peer.build(builds.added.packages));
  return builds;
}

const reason = await obstacle();
if (reason) {
  console.error(reason);
  process.exit(1);
}
await inScratch(stop, { keep: options.keep }, async (scratch) => {
  const builds = await measure(scratch);
  printFigures(builds);
  printGoals(builds);
});
