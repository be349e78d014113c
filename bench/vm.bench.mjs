// A VM by a cold boot against a clone of a booted one, in one run: `npm run bench -- vm`. docs/benchmarks.md says what is compared.
// `--clones N` (20) says how many clones are made one after the other; with `--dir DIR` the image stays there for the next run.
import { chown, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { QemuHypervisor } from '../dist/libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { qemuVersion, threadsOf } from '../dist/libs/hypervisor/src/qemu/qemu-version.js';
import { buildAccount } from '../dist/libs/platform/src/index.js';
import { inScratch } from './in-scratch.mjs';
import { median, percentile } from './gateway/measure.mjs';
import { bareRestore } from './vm/bare-restore.mjs';
import { builtImage, forgetColdOnes } from './vm/built-image.mjs';
import { Factory } from './vm/factory.mjs';

const size = { memory_mb: 1024, vcpus: 2 };
const recipe = { name: 'bench-vm', base_image: 'debian-bookworm', features: ['ssh'], output: { compression: 'fast' } };
const atOnce = 8;
const { values: options } = parseArgs({
  options: { clones: { type: 'string', default: '20' }, dir: { type: 'string' } },
});
const clones = Number(options.clones);
if (!Number.isSafeInteger(clones) || clones < 1) throw new Error('--clones takes a number.');
const stop = new AbortController();

/** A guest of the hypervisor alone, without the factory around it: from the call until its agent answers. */
async function untilAgent(hypervisor, dir, start) {
  await mkdir(dir, { mode: 0o711 });
  const began = performance.now();
  const guest = await start(dir);
  try {
    await guest.waitForAgent(stop.signal);
    return performance.now() - began;
  } finally {
    await guest.quit();
    await rm(dir, { recursive: true, force: true });
  }
}

async function agents(dataDir, key) {
  const hypervisor = new QemuHypervisor();
  const [machine] = await readdir(path.join(dataDir, 'vms/machines'));
  const isoPath = path.join(dataDir, 'vms/machines', machine, 'image.iso');
  const spec = (workDir) => ({
    isoPath,
    memoryMb: size.memory_mb,
    vcpus: size.vcpus,
    firmware: 'bios',
    network: 'none',
    workDir,
  });
  const clone = (dir) =>
    hypervisor.startFromSnapshot(
      path.join(dataDir, 'vms/snapshots', key),
      { ...spec(dir), diskPath: path.join(dir, 'disk.qcow2'), uidIndex: 2_000 },
      stop.signal,
    );
  const boot = async (dir) => {
    const account = await buildAccount();
    if (account) await chown(dir, account.uid, account.gid);
    return hypervisor.start(spec(dir), stop.signal);
  };
  const dir = path.join(dataDir, 'bench');
  const cold = await untilAgent(hypervisor, dir, boot);
  const first = await untilAgent(hypervisor, dir, clone);
  // By turns, so that what the machine's neighbours do meets both.
  const [warm, bare] = [[], []];
  const { kind } = await hypervisor.acceleration();
  const shape = { memoryMb: size.memory_mb, vcpus: size.vcpus, firmware: 'bios', network: 'none', disk: true };
  const bareOrder = {
    snapshotDir: path.join(dataDir, 'vms/snapshots', key),
    isoPath,
    dir: path.join(dataDir, 'vms/bare'),
    shape,
    acceleration: kind,
    threads: threadsOf(await qemuVersion()),
  };
  for (let index = 0; index < clones; index++) {
    warm.push(await untilAgent(hypervisor, dir, clone));
    bare.push(await bareRestore(bareOrder));
  }
  return { cold, first, warm, bare: bare.map(({ ms }) => ms), bareMemory: bare.map(({ privateMb }) => privateMb) };
}

async function machines(factory, { buildId, key }) {
  const make = (name, memory_mb = size.memory_mb) =>
    factory.create({ build_id: buildId, name, ...size, memory_mb }, stop.signal);
  // The image's own first boot, in its build, was kept. This VM stays.
  const first = await make('first');
  if (!first.vm.restored_from_snapshot)
    throw new Error('The first VM was not restored from the boot that its image was tested by.');
  const one = [];
  for (let index = 0; index < clones; index++) {
    const { ms, vm } = await make('clone');
    if (!vm.restored_from_snapshot) throw new Error('A clone was not restored from a snapshot.');
    one.push(ms);
    await factory.delete('clone');
  }
  const began = performance.now();
  const eight = await Promise.all(Array.from({ length: atOnce }, (_, index) => make(`clone-${index}`)));
  const eightMs = performance.now() - began;
  const memory = await Promise.all(eight.map(({ vm }) => factory.privateMb(vm.vm_id)));
  for (const { vm } of eight) await factory.delete(vm.vm_name);
  // Another size has no snapshot.
  const cold = await make('cold', size.memory_mb + 64);
  return { key, cold: cold.ms, first: first.ms, one, eightMs, memory };
}

const seconds = (ms) => Number((ms / 1000).toFixed(2));
const verdict = (isMet) => (isMet ? 'met' : 'MISSED');

function printFigures(running, agent) {
  const row = ({ cold, first }, all) => ({
    'cold s': seconds(cold),
    'first clone s': seconds(first),
    'clone p50 s': seconds(median(all)),
    'clone p95 s': seconds(percentile(all, 95)),
    ratio: Number((cold / median(all)).toFixed(0)),
  });
  const bareRow = { 'clone p50 s': seconds(median(agent.bare)), 'clone p95 s': seconds(percentile(agent.bare, 95)) };
  console.table({
    'agent answers': row(agent, agent.warm),
    'agent answers, bare QEMU': bareRow,
    running: row(running, running.one),
  });
  const most = Math.max(...running.memory) * 1.048576;
  // Each against what was measured in the same run: these hold on every machine.
  const goals = [
    ['agent answers, p50: at most 1.5 times the bare restore', median(agent.warm) / median(agent.bare), 1.5],
    [
      'agent answers, p95: at most 1.5 times the bare restore',
      percentile(agent.warm, 95) / percentile(agent.bare, 95),
      1.5,
    ],
    ['running, p50: at most 1/100 of cold', (100 * median(running.one)) / running.cold, 1],
    [`${atOnce} clones at once running: in all at most 1/10 of cold`, (10 * running.eightMs) / running.cold, 1],
    ['private memory of each: at most 80 MB', most / 80, 1],
  ];
  console.table(
    Object.fromEntries(
      goals.map(([name, found, goal]) => [
        name,
        { found: Number(found.toFixed(2)), goal, verdict: verdict(found <= goal) },
      ]),
    ),
  );
  console.log(
    `${atOnce} at once: ${seconds(running.eightMs)} s. Private memory: ${most.toFixed(0)} MB at most; bare, at the agent's first answer: ${(Math.max(...agent.bareMemory) * 1.048576).toFixed(0)} MB.`,
  );
  console.log('The first clone of a process hashes the whole snapshot.');
}

await inScratch(
  stop,
  {
    dir: options.dir,
    about: `; guests on ${(await new QemuHypervisor().acceleration()).kind}; ${size.memory_mb} MiB, ${size.vcpus} vCPUs`,
  },
  async (dataDir) => {
    const factory = new Factory(dataDir);
    try {
      await forgetColdOnes(dataDir, recipe);
      await factory.start();
      console.log('Building the image …');
      const image = await builtImage(factory, recipe, stop.signal);
      console.log('Making machines …');
      const running = await machines(factory, image);
      console.log('Starting guests without a factory …');
      const agent = await agents(dataDir, running.key);
      printFigures(running, agent);
    } finally {
      await factory.stop();
    }
  },
);
