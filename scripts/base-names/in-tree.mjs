import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

export const run = (program, args, options = {}) =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'], ...options });
export const inTree = (tree, ...argv) => run('chroot', [tree, ...argv]);
export const lines = (text) => text.split('\n').filter(Boolean);
export const linesOf = (file) => (existsSync(file) ? lines(readFileSync(file, 'utf8')) : []);

/** Unpacks a package of the tree's archive beside it. @returns where, with its control files in DEBIAN; undefined where the base has no such package */
export function unpack(tree, work, name) {
  if (!/^ {2}Candidate: \d/m.test(inTree(tree, 'apt-cache', 'policy', name))) return undefined;
  const dir = mkdtempSync(path.join(work, `${name}-`));
  inTree(tree, '/bin/sh', '-c', 'cd /tmp && apt-get -q download "$1"', 'sh', name);
  const [file] = lines(inTree(tree, '/bin/sh', '-c', 'ls /tmp/*.deb'));
  run('dpkg-deb', ['--raw-extract', path.join(tree, file), dir]);
  inTree(tree, '/bin/sh', '-c', 'rm -f /tmp/*.deb');
  return dir;
}

/** Where a path of the tree leads, links followed inside the tree. */
export function resolveIn(tree, place, depth = 0) {
  if (depth > 40) return undefined;
  let at = '/';
  const segments = place.split('/').filter(Boolean);
  for (const [index, segment] of segments.entries()) {
    const next = path.posix.join(at, segment);
    const stat = lstatSync(path.join(tree, next), { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink()) {
      at = next;
      continue;
    }
    const target = path.posix.resolve(at, readlinkSync(path.join(tree, next)));
    return resolveIn(tree, path.posix.join(target, ...segments.slice(index + 1)), depth + 1);
  }
  return at;
}
