// How long others wait while strangers and guests attack: `npm run bench -- hostile`. docs/benchmarks.md says what is sent.
// `--seconds N` (10) says how long each attack goes on; `--without-vm` leaves out those that need a VM, and so the build of its image.
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { attackNames, consoleAttack } from './hostile/attacks.mjs';
import { watch } from './hostile/watch.mjs';
import { inScratch } from './in-scratch.mjs';
import { Factory } from './vm/factory.mjs';

const goals = { live: 1_000, tool: 2_000 };
const seconds = Number(process.argv[process.argv.indexOf('--seconds') + 1]) || 10;
const withVm = !process.argv.includes('--without-vm');
const password = 'counts4the-engine';
const recipe = { name: 'bench-hostile', base_image: 'debian-bookworm', features: ['ssh'], security: { disable_root: false }, users: [{ username: 'root', password }], output: { compression: 'fast' } };
const stop = new AbortController();

/** Somebody else's answers while `attack` goes on. */
async function underAttack(factory, attack) {
  let isOver = false;
  const [times, answers] = await Promise.all([watch(factory.url, () => isOver), attack().finally(() => (isOver = true))]);
  return { ...times, answers };
}

const inThread = (factory, name) => () =>
  new Promise((resolve, reject) => {
    new Worker(new URL('./hostile/attacks.mjs', import.meta.url), { workerData: { url: factory.url, name, seconds, vm: 'hostile' } }).once('message', resolve).once('error', reject);
  });

/** Root of the guest logs in at its console and has both of its ports written to without end. */
async function makeFlooder(factory) {
  const buildId = await factory.build(recipe, stop.signal);
  await factory.create({ build_id: buildId, name: 'hostile', memory_mb: 1024, vcpus: 2 }, stop.signal);
}
const ports = '/dev/virtio-ports';
const flood = `systemctl stop openfactory-helper qemu-guest-agent; (yes '' > ${ports}/org.openfactory.helper.0 &) ; yes '' > ${ports}/org.qemu.guest_agent.0 &`;
async function guestFloods(factory) {
  const type = (text) => factory.call('POST', 'vms/hostile/interact', { actions: [{ type: 'type', text: `${text}\n` }, { type: 'wait', duration: 8 }] });
  for (const text of ['root', password, flood]) await type(text);
  await sleep(seconds * 1_000, undefined, { signal: stop.signal });
  const { reason } = await factory.call('GET', 'vms/hostile');
  return { [reason ?? 'no port was closed']: 1 };
}

function row({ live, tool, answers }, quiet) {
  const worst = (times) => Math.round(Math.max(...times));
  const said = Object.entries(answers).map(([answer, count]) => `${count} x ${answer}`).join(', ');
  return { 'health/live, worst ms': worst(live), 'tools/call, worst ms': worst(tool), 'of quiet': quiet && `${(worst(live) / worst(quiet.live)).toFixed(1)} and ${(worst(tool) / worst(quiet.tool)).toFixed(1)} times`, 'answers to the attack': said };
}

await inScratch(stop, {}, async (dataDir) => {
  const factory = new Factory(dataDir);
  try {
    await factory.start();
    // What the factory does by itself after its start, its package indices above all, is no attack.
    if (withVm) await makeFlooder(factory);
    else await sleep(60_000, undefined, { signal: stop.signal });
    const quiet = await underAttack(factory, () => sleep(seconds * 1_000, {}, { signal: stop.signal }));
    const figures = {};
    for (const name of [...attackNames, ...(withVm ? [consoleAttack] : [])]) figures[name] = await underAttack(factory, inThread(factory, name));
    if (withVm) figures['newlines of a guest on both of its ports'] = await underAttack(factory, () => guestFloods(factory));
    console.table({ 'nobody (the peer)': row(quiet), ...Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, row(figure, quiet)])) });
    for (const [what, goalMs] of Object.entries(goals)) {
      const worst = Math.max(...Object.values(figures).flatMap((figure) => figure[what]));
      console.log(`worst ${what === 'live' ? 'answer of /api/health/live' : 'tools/call of another caller'}: ${Math.round(worst)} ms (goal <= ${goalMs}: ${worst <= goalMs ? 'met' : 'MISSED'})`);
    }
  } finally {
    await factory.stop();
  }
});
