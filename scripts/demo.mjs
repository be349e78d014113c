// `npm run demo`: sets this checkout up where needed, then builds, downloads and explains an image as a client of a running factory.
import path from 'node:path';
import { root, setup } from './setup.mjs';
import { runScript } from './setup/problem.mjs';
import { pinnedNodeEnvironment } from './setup/programs.mjs';
import { supervise } from './supervise.mjs';

await runScript(async (args) => {
  await setup();
  const node = path.join(root, 'node_modules/.bin/node');
  return supervise(node, [path.join(root, 'bin/openfactory'), 'demo', ...args], { env: pinnedNodeEnvironment(root) });
});
