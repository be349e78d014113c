import path from 'node:path';

/**
 * The Node that package.json pins, in its own package: some versions of npm (9.2.0, which Debian ships) make no link to it in node_modules/.bin,
 * because the package of the other processor, which they leave out, has a program of the same name. This file needs Node alone, of any version.
 */
export const pinnedNode = (root) => path.join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node');

/** The environment in which `node` is the pinned one. */
export function pinnedNodeEnvironment(root) {
  return {
    ...process.env,
    PATH: [path.dirname(pinnedNode(root)), process.env.PATH].filter(Boolean).join(path.delimiter),
  };
}

/** npm must not run on the Node below node_modules: it may be about to replace it, and Debian's finds its own libraries on Debian's Node only. */
export function systemNodeEnvironment() {
  const dirs = (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter((dir) => !dir.split(path.sep).includes('node_modules'));
  return { ...process.env, PATH: dirs.join(path.delimiter) };
}
