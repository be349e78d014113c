import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { productRoot } from '#libs/platform';

/** What of the product takes part in making base layers: built, and as it is shipped (what is put into images, data). */
export const partInBases = [
  'dist/libs/builds/src/pipeline',
  'dist/libs/platform/src/process',
  'libs/builds/initramfs',
  'libs/recipes/data',
];
/** In making an image and the snapshot of its boot. */
export const partInImages = [
  ...partInBases,
  'dist/libs/recipes/src',
  'dist/libs/hypervisor/src',
  'dist/libs/vms/src/host',
  'dist/migrations',
  'libs/builds/machine',
  'libs/hypervisor/guest',
];

/** Names what these parts of the product would make of anything today: by what they are, and by the day, so that nothing is older than what the archives offer by more. */
export async function productToday(parts: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(new Date().toISOString().slice(0, 10));
  for (const part of parts) {
    const dir = path.join(productRoot, part);
    const names = (await readdir(dir, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
      .map(({ parentPath, name }) => path.join(parentPath, name));
    for (const name of names.sort()) hash.update(`${path.relative(dir, name)}\0`).update(await readFile(name));
  }
  return hash.digest('hex');
}
