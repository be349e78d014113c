import { existsSync } from 'node:fs';
import path from 'node:path';

/** The data files are not compiled: the same directory serves libs/recipes/src and dist/libs/recipes/src. */
export function dataDirectory(from = import.meta.dirname): string {
  for (let dir = from; dir !== path.dirname(dir); dir = path.dirname(dir)) {
    const data = path.join(dir, 'libs', 'recipes', 'data');
    if (existsSync(path.join(dir, 'package.json')) && existsSync(data)) return data;
  }
  throw new Error(`The catalogue files libs/recipes/data were not found above ${from}; is the installation complete?`);
}
