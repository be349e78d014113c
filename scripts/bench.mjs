// `npm run bench -- NAME`: runs bench/NAME.bench.mjs on the built product.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root, setup } from './setup.mjs';
import { SetupProblem, runScript } from './setup/problem.mjs';
import { pinnedNode, pinnedNodeEnvironment } from './setup/pinned-node.mjs';
import { supervise } from './supervise.mjs';

const suffix = '.bench.mjs';
const benchDir = path.join(root, 'bench');

await runScript(async ([name, ...args]) => {
  const known = existsSync(benchDir)
    ? readdirSync(benchDir)
        .filter((file) => file.endsWith(suffix))
        .map((file) => file.slice(0, -suffix.length))
    : [];
  if (!known.includes(name)) {
    const question = name ? `There is no benchmark "${name}"` : 'No benchmark is named';
    throw new SetupProblem(
      `${question}: run "npm run bench -- NAME" with ${known.length ? `one of ${known.sort().join(', ')}` : 'the name of a file bench/NAME.bench.mjs (there is none yet)'}.`,
    );
  }
  await setup();
  const file = path.join(benchDir, `${name}${suffix}`);
  return supervise(pinnedNode(root), ['--expose-gc', file, ...args], { env: pinnedNodeEnvironment(root) });
});
