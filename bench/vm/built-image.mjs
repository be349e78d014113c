// The image of the benchmark, which a kept directory may hold already: with a note of its build and of the snapshot of its first boot.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const noteIn = (dataDir) => path.join(dataDir, 'bench-vm.json');
const snapshotsIn = (dataDir) => path.join(dataDir, 'vms/snapshots');

async function noted(dataDir, recipe) {
  const note = JSON.parse(await readFile(noteIn(dataDir), 'utf8').catch(() => 'null'));
  return note?.recipe === JSON.stringify(recipe) ? note : undefined;
}

/** Before the factory starts: what an earlier run booted by itself must boot again. */
export async function forgetColdOnes(dataDir, recipe) {
  const note = await noted(dataDir, recipe);
  for (const name of await readdir(snapshotsIn(dataDir)).catch(() => []))
    if (name !== note?.key) await rm(path.join(snapshotsIn(dataDir), name), { recursive: true });
}

/** @returns the build, and the name of its first boot's snapshot. No VM is there then. */
export async function builtImage(factory, recipe, signal) {
  const note = await noted(factory.dataDir, recipe);
  for (const { vm_name: name } of note ? (await factory.call('GET', 'vms')).vms : []) await factory.delete(name);
  if (note) return note;
  const buildId = await factory.build(recipe, signal);
  const [key] = await readdir(snapshotsIn(factory.dataDir));
  await writeFile(noteIn(factory.dataDir), JSON.stringify({ recipe: JSON.stringify(recipe), buildId, key }));
  return { buildId, key };
}
