import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The checkout's root, found from the sources and from dist alike. */
export const productRoot = findRoot(import.meta.dirname);
export const productVersion = (
  JSON.parse(readFileSync(path.join(productRoot, 'package.json'), 'utf8')) as { version: string }
).version;

function findRoot(dir: string): string {
  if (existsSync(path.join(dir, 'package.json'))) return dir;
  const parent = path.dirname(dir);
  if (parent === dir) throw new Error('The package.json of OpenFactory was not found above its own code.');
  return findRoot(parent);
}
