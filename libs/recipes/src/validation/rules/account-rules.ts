import { nearestName } from '#libs/platform';
import type { BaseNames } from '../../catalogue/base-names.js';
import { needsNoPasswordForSudo } from '../../schema/users.dto.js';
import { objects, part, text, texts, whole, type Draft } from '../draft.js';
import { isSystemDir, settlePlace, whyLost } from '../places.js';
import type { Resolution } from '../resolution.js';
import { reportDuplicates, type Rule } from './rule.js';

export const uniqueAccounts: Rule = ({ draft, findings }) => {
  const users = objects(draft, 'users');
  const groups = objects(draft, 'groups');
  reportDuplicates(
    users.map(({ value, path }) => ({ key: text(value, 'username'), path: `${path}/username` })),
    (path, name) => findings.error(path, 'duplicate_user', `The user ${name} is made twice.`),
  );
  reportDuplicates(
    users.map(({ value, path }) => ({ key: whole(value, 'uid'), path: `${path}/uid` })),
    (path, uid) => findings.error(path, 'duplicate_uid', `The uid ${uid} is given twice.`),
  );
  reportDuplicates(
    groups.map(({ value, path }) => ({ key: text(value, 'name'), path: `${path}/name` })),
    (path, name) => findings.error(path, 'duplicate_group', `The group ${name} is made twice.`),
  );
  reportDuplicates(
    groups.map(({ value, path }) => ({ key: whole(value, 'gid'), path: `${path}/gid` })),
    (path, gid) => findings.error(path, 'duplicate_gid', `The gid ${gid} is given twice.`),
  );
};

export const userRules: Rule = ({ draft, findings, names, resolution }) => {
  const made = accountsMade(names, resolution);
  for (const { value, path } of objects(draft, 'users')) {
    const name = text(value, 'username') ?? '';
    const home = text(value, 'home');
    const place = home === undefined ? '' : settlePlace(home, names.dirLinks);
    const lost = whyLost(place);
    if (home?.includes(':'))
      findings.error(
        `${path}/home`,
        'home_name',
        'A home cannot have a colon in its name: that parts the fields of passwd(5).',
      );
    if (name !== 'root' && isSystemDir(place))
      findings.error(
        `${path}/home`,
        'home_of_base',
        `${place} is a directory of the base that belongs to everybody; give the user one below it, or leave home out for /home/${name}.`,
      );
    if (lost !== undefined) findings.error(`${path}/home`, 'lost_place', `Nothing stays in this home: ${lost}`);
    if (text(value, 'password') !== undefined && text(value, 'password_hash') !== undefined)
      findings.error(`${path}/password`, 'password_twice', 'Give password or password_hash, not both.');
    if (name === 'root') continue;
    const maker = made.users.get(name) ?? made.groups.get(name);
    if (names.users.has(name))
      findings.error(
        `${path}/username`,
        'reserved_user',
        `${name} is an account of the base system; choose another name.`,
      );
    else if (names.groups.has(name))
      findings.error(
        `${path}/username`,
        'reserved_user',
        `${name} is a group of the base system, and a user's own group has the name of the user; choose another name.`,
      );
    else if (maker !== undefined)
      findings.error(
        `${path}/username`,
        'reserved_user',
        `${name} is ${made.users.has(name) ? 'an account' : 'a group'} that the package ${maker} makes; choose another name.`,
      );
  }
};

/** A user with keys only may become root without a word: said, since whoever has the key is then root. */
export const sudoWithoutPassword: Rule = ({ draft, findings }) => {
  for (const { value, path } of objects(draft, 'users')) {
    const user = {
      username: text(value, 'username'),
      sudo: value.sudo === true,
      groups: texts(value, 'groups').map((group) => group.value),
      ssh_authorized_keys: texts(value, 'ssh_authorized_keys').map((key) => key.value),
      password: text(value, 'password'),
      password_hash: text(value, 'password_hash'),
    };
    if (needsNoPasswordForSudo(user))
      findings.warn(
        `${path}/${user.sudo ? 'sudo' : 'groups'}`,
        'sudo_without_password',
        `${user.username ?? 'The user'} has no password, so sudo asks for none. Give a password if it shall ask.`,
      );
  }
};

/** What the base makes of root is fixed; saying something else would be lost. */
export const rootRules: Rule = ({ draft, findings }) => {
  const disableRoot = part(draft, 'security').disable_root !== false;
  for (const { value, path } of objects(draft, 'users')) {
    if (text(value, 'username') !== 'root') continue;
    if (disableRoot)
      findings.error(
        `${path}/username`,
        'root_disabled',
        'The root account is locked by security.disable_root, so it cannot be set up here.',
        'security.disable_root: false',
      );
    const lists = Array.isArray(value.groups) && value.groups.length > 0 ? ['groups'] : [];
    const given = [
      ...['uid', 'home'].filter((key) => Object.hasOwn(value, key)),
      ...lists,
      ...(value.sudo === true ? ['sudo'] : []),
    ];
    for (const key of given)
      findings.error(
        `${path}/${key}`,
        'root_fixed',
        `root's ${key} cannot be chosen: it has uid 0, the home /root, and every right.`,
      );
  }
};

export const groupRules: Rule = ({ draft, findings, names, resolution }) => {
  const made = accountsMade(names, resolution);
  const owners = new Map([...names.groups].map(([name, gid]) => [gid, name]));
  for (const { value, path } of objects(draft, 'groups')) {
    const [name, gid] = [text(value, 'name') ?? '', whole(value, 'gid')];
    const maker = names.groups.has(name)
      ? 'the base'
      : made.groups.has(name)
        ? `the package ${made.groups.get(name)}`
        : undefined;
    const owner = gid === undefined ? undefined : owners.get(gid);
    if (maker !== undefined && gid !== undefined)
      findings.error(
        `${path}/gid`,
        'group_exists',
        `${maker} makes the group ${name}, with an id that cannot be chosen; leave gid out.`,
      );
    else if (maker !== undefined)
      findings.warn(`${path}/name`, 'group_exists', `${maker} makes the group ${name} already.`);
    else if (owner !== undefined)
      findings.error(
        `${path}/gid`,
        'gid_taken',
        `The gid ${gid} is that of the base's group ${owner}; ids from 1000 on are free.`,
      );
    else if (gid !== undefined && gid < 1000)
      findings.warn(
        `${path}/gid`,
        'gid_of_packages',
        `Ids below 1000 are given to packages as they come; if one takes ${gid}, the build fails. Ids from 1000 on are free.`,
      );
  }
};

/** Groups that will be there: the base's, those that packages bring, those that the recipe makes, and each user's own. */
export const knownGroups: Rule = ({ draft, findings, names, resolution }) => {
  if (!resolution?.base.archive) return;
  const known = groupsOf(draft, names, resolution);
  const all = [...known];
  for (const { value, path } of objects(draft, 'users')) {
    for (const group of texts(value, 'groups', path)) {
      if (!known.has(group.value))
        findings.error(
          group.path,
          'unknown_group',
          `No group ${group.value} comes with the base or a package that is known to make it, and \`groups\` does not make it.`,
          () => nearestName(group.value, all),
        );
    }
  }
};

export const fileOwners: Rule = ({ draft, findings, names, resolution }) => {
  if (!resolution?.base.archive) return;
  const users = new Set([
    ...names.users.keys(),
    ...accountsMade(names, resolution).users.keys(),
    ...objects(draft, 'users').flatMap(({ value }) => text(value, 'username') ?? []),
  ]);
  const groups = groupsOf(draft, names, resolution);
  for (const { value, path } of objects(draft, 'files')) {
    for (const [key, known] of [
      ['owner', users],
      ['group', groups],
    ] as const) {
      const name = text(value, key);
      if (name === undefined || known.has(name)) continue;
      const near = () => nearestName(name, [...known]);
      // With packages of its own a recipe may have accounts that nobody here has heard of.
      if (resolution.packages.length)
        findings.warn(
          `${path}/${key}`,
          'unknown_owner',
          `The ${key} ${name} comes neither with the base nor with a package that is known to make it; the build fails unless one does.`,
          near,
        );
      else
        findings.error(
          `${path}/${key}`,
          'unknown_owner',
          `There is no such ${key === 'owner' ? 'user' : 'group'} in the base or the recipe.`,
          near,
        );
    }
  }
};

function groupsOf(draft: Draft, names: BaseNames, resolution: Resolution): Set<string> {
  return new Set([
    ...names.groups.keys(),
    ...accountsMade(names, resolution).groups.keys(),
    ...objects(draft, 'groups').flatMap(({ value }) => text(value, 'name') ?? []),
    ...objects(draft, 'users').flatMap(({ value }) => text(value, 'username') ?? []),
  ]);
}

/** Accounts of the packages that will be there: name -> package, or feature where only the feature says so. */
function accountsMade(
  { accounts }: BaseNames,
  resolution: Resolution | undefined,
): { users: Map<string, string>; groups: Map<string, string> } {
  const made = { users: new Map<string, string>(), groups: new Map<string, string>() };
  for (const { groups, packages } of resolution?.features ?? [])
    for (const name of groups) made.groups.set(name, packages[0] ?? '');
  for (const name of resolution?.installed ?? []) {
    const entry = accounts.get(name);
    for (const user of entry?.users ?? []) made.users.set(user, name);
    for (const group of entry?.groups ?? []) made.groups.set(group, name);
  }
  return made;
}

/** An image that nobody can log in to may be meant (an appliance), so it is no error. */
export const someLogin: Rule = ({ draft, findings, resolution }) => {
  if (!resolution) return;
  const has = (id: string) => resolution.features.some((feature) => feature.id === id);
  if (has('cloud-init') || text(part(draft, 'desktop'), 'autologin') !== undefined) return;
  if (objects(draft, 'users').some(({ value }) => canLogIn(value, has('ssh')))) return;
  findings.warn(
    '/users',
    'no_login',
    'Nobody will be able to log in to this image: no user has a password, or a key together with the feature ssh.',
  );
};

function canLogIn(user: Draft, ssh: boolean): boolean {
  if (/\/(nologin|false)$/.test(text(user, 'shell') ?? '')) return false;
  const hash = text(user, 'password_hash');
  return (
    text(user, 'password') !== undefined ||
    (hash !== undefined && hash.startsWith('$')) ||
    (ssh && texts(user, 'ssh_authorized_keys').length > 0)
  );
}
