import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pinnedNode, pinnedNodeEnvironment } from './pinned-node.mjs';
import { SetupProblem } from './problem.mjs';
import { lastLines, run } from './programs.mjs';

const sources = ['apps', 'libs', 'migrations', 'web', 'package.json', 'tsconfig.json', '.swcrc', 'nest-cli.json'];
/** The server first: it empties dist. The types of the web pages are made from what the server says of itself. */
const commands = [
  ['node_modules/@nestjs/cli/bin/nest.js', 'build', 'api'],
  ['dist/apps/api/src/write-openapi.js', 'dist/openapi.json'],
  ['node_modules/openapi-typescript/bin/cli.js', 'dist/openapi.json', '-o', 'dist/openapi.d.ts'],
  ['node_modules/vite/bin/vite.js', 'build', 'web'],
];
const stampFile = (root) => path.join(root, 'dist/.openfactory-build');

/** A hash over the names and contents of everything the build reads; times would lie after a git checkout. */
export function hashSources(root, names = sources) {
  const hash = createHash('sha256');
  const add = (name) => {
    const file = path.join(root, name);
    const content = readFileSync(file);
    hash.update(`${name}\0${content.length}\0`).update(content);
  };
  const walk = (name) => {
    for (const entry of readdirSync(path.join(root, name), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const child = `${name}/${entry.name}`;
      if (entry.isDirectory()) walk(child);
      else if (!entry.name.endsWith('.spec.ts')) add(child);
    }
  };
  for (const name of names) {
    if (!existsSync(path.join(root, name))) continue;
    if (path.extname(name) || name.startsWith('.')) add(name);
    else walk(name);
  }
  return hash.digest('hex');
}

export function isBuilt(root) {
  return existsSync(stampFile(root)) && readFileSync(stampFile(root), 'utf8') === hashSources(root);
}

export const buildStep = {
  async pending({ root }) {
    return isBuilt(root) ? undefined : 'Building';
  },
  async perform({ root }) {
    // Hashed before the build: an edit made during it has to be built again.
    const hash = hashSources(root);
    rmSync(stampFile(root), { force: true });
    for (const command of commands) {
      const { code, output } = await run(pinnedNode(root), command, {
        cwd: root,
        env: pinnedNodeEnvironment(root),
        tied: true,
      });
      if (code !== 0)
        throw new SetupProblem(
          `The build failed: run "npm run build" and mend what it complains about (${lastLines(output)}).`,
        );
    }
    writeFileSync(stampFile(root), hash);
  },
};
