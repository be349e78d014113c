import { run } from './programs.mjs';

/**
 * Makes the namespaces of a build for a moment, as the given account or as oneself. Here and not in the product, because programs of
 * the product gain no privileges (no_new_privs), and newuidmap, which the mapping needs, is a setuid program.
 */
export function tryNamespaces(account) {
  const namespaces = [
    'unshare',
    '--user',
    '--map-auto',
    '--map-root-user',
    '--mount',
    '--pid',
    '--fork',
    '--net',
    'true',
  ];
  const [program, ...args] = account
    ? ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--', ...namespaces]
    : namespaces;
  // Where it is refused, the child that unshare has made for the mapping waits for ever for a word of it.
  return run('timeout', ['10', program, ...args], { cwd: '/', whole: true });
}
