import { needsNoPasswordForSudo, type RecipeDto, type RecipeUser } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

export function renderUsers(plan: ImagePlan, { users, groups, security }: RecipeDto): void {
  // Ids that are asked for come first: the next free one might be one of them.
  for (const { one, from } of chosenFirst(groups, '/groups', ({ gid }) => gid))
    plan.run(['groupadd', ...(one.gid === undefined ? ['--force'] : ['--gid', String(one.gid)]), '--', one.name], {
      from,
    });
  const own = new Set(groups.map(({ name }) => name));
  for (const { one, from } of chosenFirst(users, '/users', ({ uid }) => uid))
    renderUser(plan, one, own.has(one.username), from);
  // sudoers(5): asked for a password that nobody has, sudo would be of no use to them.
  const passwordless = users
    .filter(needsNoPasswordForSudo)
    .map(({ username }) => `${username} ALL=(ALL:ALL) NOPASSWD: ALL\n`);
  if (passwordless.length)
    plan.file({ path: '/etc/sudoers.d/50-openfactory', content: passwordless.join(''), mode: '0440' });
  // shadow(5): "!" before the hash locks the password; keys are forbidden by sshd's own setting.
  if (security.disable_root) plan.run(['usermod', '--lock', 'root']);
}

/** @param hasGroup whether the recipe makes a group of the user's name, which is then the user's own */
function renderUser(
  plan: ImagePlan,
  { username, password_hash, ssh_authorized_keys, groups, shell, home, sudo, uid }: RecipeUser,
  hasGroup: boolean,
  from: string,
): void {
  const homeDir = (home ?? (username === 'root' ? '/root' : `/home/${username}`)).replace(/\/+$/, '');
  const memberOf = [...new Set([...groups, ...(sudo ? ['sudo'] : [])])];
  if (username === 'root') plan.run(['usermod', '--shell', shell, '--', username], { from });
  else
    plan.run(
      [
        'useradd',
        '--create-home',
        '--home-dir',
        homeDir,
        '--shell',
        shell,
        ...(uid === undefined ? [] : ['--uid', String(uid)]),
        ...(hasGroup ? ['--gid', username] : ['--user-group']),
        ...(memberOf.length ? ['--groups', memberOf.join(',')] : []),
        '--',
        username,
      ],
      { from },
    );
  // On standard input: a hash in an argument could be read by every process of the tree.
  if (password_hash !== undefined)
    plan.run(['chpasswd', '--encrypted'], { input: `${username}:${password_hash}\n`, from });
  if (ssh_authorized_keys.length === 0) return;
  plan.directory({ directory: `${homeDir}/.ssh`, mode: '0700', owner: username, group: username, from });
  plan.file({
    path: `${homeDir}/.ssh/authorized_keys`,
    content: `${ssh_authorized_keys.join('\n')}\n`,
    mode: '0600',
    owner: username,
    group: username,
    from,
  });
}

function chosenFirst<T>(
  list: readonly T[],
  at: string,
  idOf: (one: T) => number | undefined,
): { one: T; from: string }[] {
  const placed = list.map((one, index) => ({ one, from: `${at}/${index}` }));
  return [
    ...placed.filter(({ one }) => idOf(one) !== undefined),
    ...placed.filter(({ one }) => idOf(one) === undefined),
  ];
}
