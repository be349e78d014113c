// `npm run up`: sets this checkout up where needed, then runs the factory.
import path from 'node:path';
import { root, setup } from './setup.mjs';
import { runScript } from './setup/problem.mjs';
import { pinnedNode, pinnedNodeEnvironment } from './setup/pinned-node.mjs';
import { supervise } from './supervise.mjs';

await runScript(async (args) => {
  await setup();
  return supervise(pinnedNode(root), [path.join(root, 'bin/openfactory'), 'up', ...args], {
    env: pinnedNodeEnvironment(root),
  });
});
