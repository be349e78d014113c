import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pinnedNode, systemNodeEnvironment } from './pinned-node.mjs';
import { SetupProblem } from './problem.mjs';
import { find, lastLines, run } from './programs.mjs';

/** node_modules is about 0.7 GB; npm unpacks beside its cache. */
const neededBytes = 2e9;

const stampFile = (root) => path.join(root, 'node_modules/.openfactory-setup');
const lockFile = (root) => path.join(root, 'package-lock.json');
const read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/**
 * The stamp is written after npm has ended well, so a half-finished `npm ci` is redone. Where somebody installed by hand there is no
 * stamp, but npm's own record of the tree (written last, too) tells whether it is this lock's.
 */
export function isInstalled(root) {
  const lock = read(lockFile(root));
  if (lock === undefined || !existsSync(pinnedNode(root))) return false;
  return (
    read(stampFile(root)) === sha256(lock) ||
    agreesWithLock(lock, read(path.join(root, 'node_modules/.package-lock.json')))
  );
}

export function agreesWithLock(lock, installed) {
  try {
    const wanted = Object.entries(JSON.parse(lock).packages).filter(([name]) => name !== '');
    const { packages } = JSON.parse(installed);
    return wanted.every(([name, { version, integrity, optional, devOptional, link }]) => {
      const found = packages[name];
      if (!found) return Boolean(optional || devOptional || link); // Packages for other platforms are not installed.
      return found.version === version && found.integrity === integrity;
    });
  } catch {
    return false;
  }
}

export const dependenciesStep = {
  async pending({ root }) {
    return isInstalled(root) ? undefined : 'Installing the npm packages (about half a minute)';
  },
  async perform({ root }) {
    const environment = systemNodeEnvironment();
    if (!find('npm', environment.PATH))
      throw new SetupProblem('npm is not installed: install Node.js with npm (https://nodejs.org), then start again.');
    requireSpace(root);
    rmSync(stampFile(root), { force: true });
    // Included by name, because NODE_ENV=production or an .npmrc would leave out the build tools, or Node 24 and PostgreSQL.
    const { code, output } = await run(
      'npm',
      ['ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional'],
      { cwd: root, env: environment, tied: true },
    );
    if (code !== 0) throw new SetupProblem(npmProblem(output));
    if (!existsSync(pinnedNode(root)))
      throw new SetupProblem(
        'npm did not install the pinned Node.js for this machine: remove "omit=optional" from the npm configuration and start again.',
      );
    writeFileSync(stampFile(root), sha256(readFileSync(lockFile(root), 'utf8')));
  },
};

export function requireSpace(dir, { bavail, bsize } = statfsSync(dir)) {
  const free = bavail * bsize;
  if (free < neededBytes)
    throw new SetupProblem(
      `The disk of ${dir} has ${(free / 1e9).toFixed(1)} GB free, the npm packages need ${neededBytes / 1e9} GB: free some space and start again.`,
    );
}

export function npmProblem(output) {
  const words = lastLines(
    output
      .split('\n')
      .filter((line) => !/A complete log|^npm (warn|notice)/.test(line))
      .join('\n'),
  );
  if (/ENOSPC/.test(output)) return `The disk is full: free some space and start again (${words}).`;
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(output))
    return `npm cannot reach its registry: check the network, the proxy and "npm config get registry", then start again (${words}).`;
  return `npm ci failed: run "npm ci" and mend what it complains about (${words}).`;
}
