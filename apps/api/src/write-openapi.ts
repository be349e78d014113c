import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { productOpenApi } from './product-openapi.js';

/** `node write-openapi.js FILE`, for the build. */
const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('Where to? Give a file.');
await writeFile(file, JSON.stringify(await productOpenApi(), undefined, 2));
