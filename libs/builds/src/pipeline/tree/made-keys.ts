import { runInTree, type TreeRun } from './tree-sandbox.js';

/** Private keys in the layer that no package brought: dpkg knows what did (dpkg-query(1), -S). Static; its words are arguments. */
const script = [
  'grep -rlsI -e "-----BEGIN [A-Z ]*PRIVATE KEY-----" -- "$@" | while read -r key; do',
  '  dpkg-query -S -- "$key" > /dev/null 2>&1 || { rm -f -- "$key" && echo "$key"; }',
  'done',
].join('\n');
const places = ['/etc', '/opt', '/root', '/srv', '/usr/local', '/var/lib', '/var/opt'];

/**
 * Removes keys that maintainer scripts made: what is made with an image is the same in all machines of it. Services whose key a machine makes for itself
 * (libs/builds/machine) find theirs when they start; another one fails, where everybody sees it.
 * @returns their paths
 */
export async function removeMadeKeys(
  upper: string,
  tree: Pick<TreeRun, 'lowers' | 'signal' | 'mounts'>,
): Promise<string[]> {
  const { stdout } = await runInTree('/bin/sh', ['-c', script, 'sh', ...places], {
    ...tree,
    upper,
    deadlineMs: 120_000,
  });
  return stdout.split('\n').filter(Boolean);
}
