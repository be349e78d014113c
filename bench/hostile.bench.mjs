// How long others wait while strangers and guests attack: `npm run bench -- hostile`. docs/benchmarks.md says what is sent.
// `--seconds N` (10) says how long each attack goes on; `--without-vm` leaves out those that need a VM, and so the build of its image.
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { attackNames, viewer, vmAttackNames } from './hostile/attacks.mjs';
import { watch } from './hostile/watch.mjs';
import { inScratch } from './in-scratch.mjs';
import { Factory } from './vm/factory.mjs';

const goals = { live: 1_000, tool: 2_000 };
const seconds = Number(process.argv[process.argv.indexOf('--seconds') + 1]) || 10;
const withVm = !process.argv.includes('--without-vm');
const password = 'counts4the-engine';
const recipe = {
  name: 'bench-hostile',
  base_image: 'debian-bookworm',
  features: ['ssh'],
  security: { disable_root: false },
  users: [{ username: 'root', password }],
  output: { compression: 'fast' },
};
/** Prints without end while its image is tested, and forks without end. */
const bomb = 'yes "a line that nobody wants to read" > /dev/ttyS0 & b() { b | b & }; b';
const flooding = {
  ...recipe,
  name: 'bench-flooding',
  startup_scripts: [{ name: 'flood', script: `#!/bin/bash\n${bomb}\n`, after: 'boot' }],
};
/** The factory reads its package indices in that time. */
const startSeconds = 45;
const buildSeconds = 150;
const stop = new AbortController();
const pause = (forSeconds) => sleep(forSeconds * 1_000, undefined, { signal: stop.signal });

/** Somebody else's answers while `attack` goes on. */
async function underAttack(factory, attack) {
  let isOver = false;
  const [times, answers] = await Promise.all([
    watch(factory.url, () => isOver),
    attack().finally(() => (isOver = true)),
  ]);
  return { ...times, answers };
}

const inThread =
  (factory, name, more = {}) =>
  () =>
    new Promise((resolve, reject) => {
      new Worker(new URL('./hostile/attacks.mjs', import.meta.url), {
        workerData: { url: factory.url, name, seconds, vm: 'hostile', ...more },
      })
        .once('message', resolve)
        .once('error', reject);
    });

/** Root of the guest logs in at its console and has everything that it can write to written to without end, its screen too, which somebody looks at. */
const ports = '/dev/virtio-ports';
const places = [`${ports}/org.openfactory.helper.0`, `${ports}/org.qemu.guest_agent.0`, '/dev/ttyS0', '/dev/tty1'];
const flood = `systemctl stop openfactory-helper qemu-guest-agent; for p in ${places.join(' ')}; do (while :; do yes '' > $p; done) & done`;
async function guestFloods(factory) {
  const type = (text) =>
    factory.call('POST', 'vms/hostile/interact', {
      actions: [
        { type: 'type', text: `${text}\n` },
        { type: 'wait', duration: 8 },
      ],
    });
  for (const text of ['root', password, flood]) await type(text);
  const answers = await inThread(factory, viewer, { seconds: 2 * seconds })();
  const { reason } = await factory.call('GET', 'vms/hostile');
  return { ...answers, [reason ?? 'no port was closed']: 1 };
}

/** As far as it gets in its time. */
async function buildFloods(factory) {
  const until = Date.now() + buildSeconds * 1_000;
  const { build_id: id } = await factory.call('POST', 'builds', { recipe: flooding });
  let state = await factory.call('GET', `builds/${id}/status`);
  while (Date.now() < until && ['pending', 'building', 'testing'].includes(state.status)) {
    await pause(1);
    state = await factory.call('GET', `builds/${id}/status`);
  }
  if (state.status === 'testing' || state.status === 'building') await factory.call('POST', `builds/${id}/cancel`, {});
  return { [`the build is ${state.status}`]: 1 };
}

async function attackAll(factory) {
  const figures = {};
  const attack = async (name, act) => {
    figures[name] = await underAttack(factory, act);
    console.log(name, row(figures[name]));
  };
  await attack(
    'validate with 2,000 packages while the factory starts',
    inThread(factory, 'validate with 2,000 packages', { seconds: startSeconds }),
  );
  const buildId = withVm ? await factory.build(recipe, stop.signal) : undefined;
  if (withVm) await factory.create({ build_id: buildId, name: 'hostile', memory_mb: 1024, vcpus: 2 }, stop.signal);
  const quiet = await underAttack(factory, () => pause(seconds).then(() => ({})));
  for (const name of [...attackNames, ...(withVm ? vmAttackNames : [])])
    await attack(name, inThread(factory, name, { buildId }));
  if (withVm) await attack('a guest that floods its ports and its screen', () => guestFloods(factory));
  if (withVm) await attack('a build whose image prints and forks without end', () => buildFloods(factory));
  return { quiet, figures };
}

function row({ live, tool, answers }, quiet) {
  const worst = (times) => Math.round(Math.max(...times));
  const said = Object.entries(answers)
    .map(([answer, count]) => `${count} x ${answer}`)
    .join(', ');
  return {
    'health/live, worst ms': worst(live),
    'tools/call, worst ms': worst(tool),
    'of quiet':
      quiet &&
      `${(worst(live) / worst(quiet.live)).toFixed(1)} and ${(worst(tool) / worst(quiet.tool)).toFixed(1)} times`,
    'answers to the attack': said,
  };
}

await inScratch(stop, {}, async (dataDir) => {
  const factory = new Factory(dataDir);
  try {
    await factory.start();
    const { quiet, figures } = await attackAll(factory);
    console.table({
      'nobody (the peer)': row(quiet),
      ...Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, row(figure, quiet)])),
    });
    for (const [what, goalMs] of Object.entries(goals)) {
      const worst = Math.max(...Object.values(figures).flatMap((figure) => figure[what]));
      console.log(
        `worst ${what === 'live' ? 'answer of /api/health/live' : 'tools/call of another caller'}: ${Math.round(worst)} ms (goal <= ${goalMs}: ${worst <= goalMs ? 'met' : 'MISSED'})`,
      );
    }
  } finally {
    await factory.stop();
  }
});
