import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { usualGuestSize } from '#libs/hypervisor';
import { canonicalJson, productRoot } from '#libs/platform';
import { QemuHypervisor } from '../../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { FactoryProcess, serialTails } from '../factory-process.js';

/** What an entry of the shelf holds. */
export const imageFiles = { iso: 'image.iso', snapshot: 'snapshot' };

/** What of the built product takes part in making an image and the snapshot of its boot. */
const parts = ['builds/src/pipeline', 'recipes/src', 'hypervisor/src', 'vms/src/host', 'platform/src/process'];

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory

/**
 * Names what a recipe becomes: by the recipe, by the product's part in it, by the machine that its boot was saved on, and by the day, so that no
 * image is older than what the archives offer by more.
 */
export async function imageKey(recipe: object): Promise<string> {
  const hash = createHash('sha256').update(canonicalJson([recipe, new Date().toISOString().slice(0, 10), await new QemuHypervisor().fingerprint(shape)]));
  for (const part of parts) {
    const dir = path.join(productRoot, 'dist/libs', part);
    const names = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && !entry.name.endsWith('.map')).map(({ parentPath, name }) => path.join(parentPath, name));
    for (const name of names.sort()) hash.update(`${path.relative(dir, name)}\0`).update(await readFile(name));
  }
  return hash.digest('hex');
}

/** Of the guests whose boot a build keeps. */
export const shape = { ...usualGuestSize, firmware: 'bios', network: 'none', disk: true } as const;

/** Has a factory build and boot the recipe, and puts what came of it into `outDir`. */
export async function makeImage(recipe: object, dataDir: string, outDir: string): Promise<void> {
  const factory = FactoryProcess.start(dataDir);
  try {
    const url = await factory.ready();
    const id = await build(url, recipe).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await serialTails(dataDir)}\n${factory.output.slice(-4_000)}`);
    });
    const { url: download } = await ask(`${url}/api/builds/${id}/download-url`, { method: 'POST' });
    const response = await fetch(download);
    await pipeline(Readable.fromWeb(response.body as never), createWriteStream(path.join(outDir, imageFiles.iso), { mode: 0o644 }));
  } finally {
    await factory.kill('SIGTERM');
  }
  const [snapshot] = await readdir(path.join(dataDir, 'vms/snapshots'));
  if (snapshot === undefined) throw new Error(`The boot of the image was not kept:\n${factory.output.slice(-4_000)}`);
  await rename(path.join(dataDir, 'vms/snapshots', snapshot), path.join(outDir, imageFiles.snapshot));
}

async function build(url: string, recipe: object): Promise<string> {
  const { build_id: id } = await ask(`${url}/api/builds`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ recipe }) });
  for (;;) {
    const state = await ask(`${url}/api/builds/${id}/status`);
    if (state.status === 'completed') return id;
    if (['failed', 'cancelled'].includes(state.status)) throw new Error(`The image is ${state.status}: ${JSON.stringify(state.error, null, 2)}`);
    await sleep(500);
  }
}

async function ask(url: string, request?: RequestInit): Promise<Json> {
  const response = await fetch(url, request);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as Json;
}
