import { nearestName } from '#libs/platform';
import { needsNoPasswordForSudo } from '../../schema/users.dto.js';
import { objects, part, text, texts, whole, type Draft } from '../draft.js';
import { reportDuplicates, type Rule, type RuleContext } from './rule.js';

/** Users that base-passwd makes on every Debian system; the groups of the same names are in the base's list. */
const systemUsers = new Set(['daemon', 'bin', 'sys', 'sync', 'games', 'man', 'lp', 'mail', 'news', 'uucp', 'proxy', 'www-data', 'backup', 'list', 'irc', 'nobody', 'systemd-network', 'systemd-resolve', 'messagebus', 'sshd']);

export const uniqueAccounts: Rule = ({ draft, findings }) => {
  const users = objects(draft, 'users');
  const groups = objects(draft, 'groups');
  reportDuplicates(users.map(({ value, path }) => ({ key: text(value, 'username'), path: `${path}/username` })), (path, name) => findings.error(path, 'duplicate_user', `The user ${name} is made twice.`));
  reportDuplicates(users.map(({ value, path }) => ({ key: whole(value, 'uid'), path: `${path}/uid` })), (path, uid) => findings.error(path, 'duplicate_uid', `The uid ${uid} is given twice.`));
  reportDuplicates(groups.map(({ value, path }) => ({ key: text(value, 'name'), path: `${path}/name` })), (path, name) => findings.error(path, 'duplicate_group', `The group ${name} is made twice.`));
  reportDuplicates(groups.map(({ value, path }) => ({ key: whole(value, 'gid'), path: `${path}/gid` })), (path, gid) => findings.error(path, 'duplicate_gid', `The gid ${gid} is given twice.`));
};

export const userRules: Rule = ({ draft, findings }) => {
  const disableRoot = part(draft, 'security').disable_root !== false;
  for (const { value, path } of objects(draft, 'users')) {
    const name = text(value, 'username') ?? '';
    if (systemUsers.has(name)) findings.error(`${path}/username`, 'reserved_user', `${name} is an account of the base system.`);
    if (name === 'root' && disableRoot) findings.error(`${path}/username`, 'root_disabled', 'The root account is locked by security.disable_root, so it cannot be set up here.', 'security.disable_root: false');
    if (text(value, 'password') !== undefined && text(value, 'password_hash') !== undefined) findings.error(`${path}/password`, 'password_twice', 'Give password or password_hash, not both.');
  }
};

/** A user with keys only may become root without a word: said, since whoever has the key is then root. */
export const sudoWithoutPassword: Rule = ({ draft, findings }) => {
  for (const { value, path } of objects(draft, 'users')) {
    const user = { username: text(value, 'username'), sudo: value.sudo === true, groups: texts(value, 'groups').map((group) => group.value), ssh_authorized_keys: texts(value, 'ssh_authorized_keys').map((key) => key.value), password: text(value, 'password'), password_hash: text(value, 'password_hash') };
    if (needsNoPasswordForSudo(user)) findings.warn(`${path}/${user.sudo ? 'sudo' : 'groups'}`, 'sudo_without_password', `${user.username ?? 'The user'} has no password, so sudo asks for none. Give a password if it shall ask.`);
  }
};

/** Groups that will be there: the base's, those that features bring, those that the recipe makes, and each user's own. */
export const knownGroups: Rule = ({ draft, findings, resolution }) => {
  if (!resolution?.base.archive) return;
  const known = knownAccounts({ draft, resolution });
  const names = [...known];
  for (const { value, path } of objects(draft, 'users')) {
    for (const group of texts(value, 'groups', path)) {
      if (!known.has(group.value)) findings.error(group.path, 'unknown_group', `No group ${group.value} comes with the base or a feature, and \`groups\` does not make it.`, () => nearestName(group.value, names));
    }
  }
};

export const fileOwners: Rule = ({ draft, findings, resolution }) => {
  if (!resolution?.base.archive) return;
  const known = knownAccounts({ draft, resolution });
  for (const { value, path } of objects(draft, 'files')) {
    for (const key of ['owner', 'group']) {
      const name = text(value, key);
      if (name !== undefined && !known.has(name)) findings.warn(`${path}/${key}`, 'unknown_owner', `${name} comes neither with the base nor with a feature; the build fails unless a package makes it.`);
    }
  }
};

function knownAccounts({ draft, resolution }: Pick<RuleContext, 'draft' | 'resolution'>): Set<string> {
  return new Set([
    ...(resolution?.base.archive?.groups ?? []),
    ...(resolution?.features ?? []).flatMap(({ groups }) => groups),
    ...objects(draft, 'groups').flatMap(({ value }) => text(value, 'name') ?? []),
    ...objects(draft, 'users').flatMap(({ value }) => text(value, 'username') ?? []),
  ]);
}

/** An image that nobody can log in to may be meant (an appliance), so it is no error. */
export const someLogin: Rule = ({ draft, findings, resolution }) => {
  if (!resolution) return;
  const has = (id: string) => resolution.features.some((feature) => feature.id === id);
  if (has('cloud-init') || text(part(draft, 'desktop'), 'autologin') !== undefined) return;
  if (objects(draft, 'users').some(({ value }) => canLogIn(value, has('ssh')))) return;
  findings.warn('/users', 'no_login', 'Nobody will be able to log in to this image: no user has a password, or a key together with the feature ssh.');
};

function canLogIn(user: Draft, ssh: boolean): boolean {
  if (/\/(nologin|false)$/.test(text(user, 'shell') ?? '')) return false;
  const hash = text(user, 'password_hash');
  return text(user, 'password') !== undefined || (hash !== undefined && hash.startsWith('$')) || (ssh && texts(user, 'ssh_authorized_keys').length > 0);
}
