import { createHash } from 'node:crypto';
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { usualGuestSize } from '#libs/hypervisor';
import { canonicalJson } from '#libs/platform';
import { QemuHypervisor } from '../../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { FactoryProcess, serialTails } from '../factory-process.js';
import { BaseParts } from './base-parts.js';
import { partInImages, productToday } from './product-today.js';

/** What an entry of the cache holds: the data directory of the factory that built and booted the image, but for what it makes again, and names in it. */
export const imageFiles = { factory: 'factory', about: 'about.json' };

export interface AboutImage {
  buildId: string;
  /** Below the factory's directory. */
  iso: string;
  snapshot: string;
}

/** To be raised when entries look otherwise. */
const layout = 2;
const madeAgain = ['builds', 'package-index', 'postgresql', 'run'];

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory

/** Names what a recipe becomes: by the recipe, by the product's part in it, and by the machine that its boot was saved on. */
export async function imageKey(recipe: object): Promise<string> {
  return createHash('sha256')
    .update(
      canonicalJson([layout, recipe, await productToday(partInImages), await new QemuHypervisor().fingerprint(shape)]),
    )
    .digest('hex');
}

/** Of the guests whose boot a build keeps. */
export const shape = { ...usualGuestSize, firmware: 'bios', network: 'none', disk: true } as const;

/** Has a factory build and boot the recipe, and puts what came of it into `outDir`. */
export async function makeImage(recipe: { base_image: string }, dataDir: string, outDir: string): Promise<void> {
  const parts = await BaseParts.of(recipe.base_image);
  await parts.give(dataDir);
  const factory = FactoryProcess.start(dataDir);
  let buildId: string;
  try {
    const url = await factory.ready(5 * 60_000);
    buildId = await build(url, recipe).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await serialTails(dataDir)}\n${factory.output.slice(-4_000)}`);
    });
  } finally {
    await factory.kill('SIGTERM');
  }
  await parts.keep(dataDir);
  for (const name of madeAgain) await rm(path.join(dataDir, name), { recursive: true, force: true });
  const [snapshot] = await readdir(path.join(dataDir, 'vms/snapshots'));
  const iso = await largestFile(path.join(dataDir, 'artifacts'));
  if (snapshot === undefined || iso === undefined)
    throw new Error(`The boot of the image was not kept, or not the image:\n${factory.output.slice(-4_000)}`);
  const about: AboutImage = {
    buildId,
    iso: path.relative(dataDir, iso),
    snapshot: path.join('vms/snapshots', snapshot),
  };
  await writeFile(path.join(outDir, imageFiles.about), JSON.stringify(about));
  await rename(dataDir, path.join(outDir, imageFiles.factory));
}

/** Of the files of a build, which the store names as it likes, the image is hundreds of times larger than all others together. */
async function largestFile(dir: string): Promise<string | undefined> {
  const files = (await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) =>
    entry.isFile(),
  );
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => ({
      file: path.join(parentPath, name),
      size: (await stat(path.join(parentPath, name))).size,
    })),
  );
  return sizes.sort((a, b) => b.size - a.size)[0]?.file;
}

async function build(url: string, recipe: object): Promise<string> {
  const { build_id: id } = await ask(`${url}/api/builds`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ recipe }),
  });
  for (;;) {
    const state = await ask(`${url}/api/builds/${id}/status`);
    if (state.status === 'completed') return id;
    if (['failed', 'cancelled'].includes(state.status))
      throw new Error(`The image is ${state.status}: ${JSON.stringify(state.error, null, 2)}`);
    await sleep(500);
  }
}

async function ask(url: string, request?: RequestInit): Promise<Json> {
  const response = await fetch(url, request);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as Json;
}
