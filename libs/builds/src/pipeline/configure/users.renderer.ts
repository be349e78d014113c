import { needsNoPasswordForSudo, type RecipeDto, type RecipeUser } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

export function renderUsers(plan: ImagePlan, { users, groups, security }: RecipeDto): void {
  for (const { name, gid } of groups) plan.run(['groupadd', ...(gid === undefined ? [] : ['--gid', String(gid)]), '--', name]);
  for (const user of users) renderUser(plan, user);
  // sudoers(5): asked for a password that nobody has, sudo would be of no use to them.
  const passwordless = users.filter(needsNoPasswordForSudo).map(({ username }) => `${username} ALL=(ALL:ALL) NOPASSWD: ALL\n`);
  if (passwordless.length) plan.file({ path: '/etc/sudoers.d/50-openfactory', content: passwordless.join(''), mode: '0440' });
  // shadow(5): "!" before the hash locks the password; keys are forbidden by sshd's own setting.
  if (security.disable_root) plan.run(['usermod', '--lock', 'root']);
}

function renderUser(plan: ImagePlan, { username, password_hash, ssh_authorized_keys, groups, shell, home, sudo, uid }: RecipeUser): void {
  const homeDir = home ?? (username === 'root' ? '/root' : `/home/${username}`);
  const memberOf = [...groups, ...(sudo ? ['sudo'] : [])];
  if (username !== 'root') {
    plan.run(['useradd', '--create-home', '--home-dir', homeDir, '--shell', shell, ...(uid === undefined ? [] : ['--uid', String(uid)]), ...(memberOf.length ? ['--groups', [...new Set(memberOf)].join(',')] : []), '--', username]);
  }
  // On standard input: a hash in an argument could be read by every process of the tree.
  if (password_hash !== undefined) plan.run(['chpasswd', '--encrypted'], `${username}:${password_hash}\n`);
  if (ssh_authorized_keys.length === 0) return;
  plan.run(['install', '-d', '-m', '0700', '-o', username, '-g', username, '--', `${homeDir}/.ssh`]);
  plan.file({ path: `${homeDir}/.ssh/authorized_keys`, content: `${ssh_authorized_keys.join('\n')}\n`, mode: '0600', owner: username, group: username });
}
