// `node scripts/pinned.mjs ARGUMENTS…`: the pinned Node with these arguments. What package.json runs goes through here, for what `node` and the links of
// node_modules/.bin are is npm's affair.
import { root } from './setup.mjs';
import { pinnedNode, pinnedNodeEnvironment } from './setup/pinned-node.mjs';
import { runScript } from './setup/problem.mjs';
import { supervise } from './supervise.mjs';

await runScript((args) => supervise(pinnedNode(root), args, { env: pinnedNodeEnvironment(root) }));
