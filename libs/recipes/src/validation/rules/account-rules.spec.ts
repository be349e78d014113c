import { describe, expect, it } from '@jest/globals';
import { FakePackageIndex, packageRecord } from '../../testing/fake-package-index.js';
import { everyPackage, validatorWith, validRecipe } from '../../testing/recipe.factory.js';

const bases = ['debian-bookworm', 'debian-trixie'];
const index = new FakePackageIndex(
  Object.fromEntries(
    bases.map((base) => [
      base,
      [
        ...everyPackage(),
        packageRecord('postgresql-common'),
        packageRecord('zsh'),
        packageRecord('zsh-antigen', { depends: ['zsh'] }),
      ],
    ]),
  ),
);
index.replace('debian-trixie', [
  ...everyPackage(),
  packageRecord('postgresql', { depends: ['postgresql-common'] }),
  packageRecord('postgresql-common'),
  packageRecord('zsh'),
  packageRecord('zsh-antigen', { depends: ['zsh'] }),
]);
const validator = validatorWith(index);
const check = async (more: Record<string, unknown>, base = 'debian-trixie') =>
  await validator.validate(validRecipe({ base_image: base, ...more }));
const found = (list: { path: string; code: string }[]) => list.map(({ path, code }) => `${path} ${code}`);
const user = (more: object = {}) => ({ username: 'ada', password: 'correct horse', ...more });

describe.each(bases)('accounts on %s', (base) => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a user of the base', { users: [user({ username: 'www-data' })] }, '/users/0/username reserved_user'],
    [
      'a user named like a group of the base',
      { users: [user({ username: 'operator' })] },
      '/users/0/username reserved_user',
    ],
    [
      'a user named like a group that systemd makes',
      { users: [user({ username: 'kvm' })] },
      '/users/0/username reserved_user',
    ],
    ['a uid of Debian’s own', { users: [user({ uid: 33 })] }, '/users/0/uid min'],
    ['a uid that systemd gives to services', { users: [user({ uid: 61_200 })] }, '/users/0/uid max'],
    ['a gid of the base', { groups: [{ name: 'devs', gid: 100 }] }, '/groups/0/gid gid_taken'],
    ['a gid of the base, as text', { groups: [{ name: 'devs', gid: '100' }] }, '/groups/0/gid gid_taken'],
    ['a gid beyond', { groups: [{ name: 'devs', gid: 60_000 }] }, '/groups/0/gid max'],
    ['an id for a group of the base', { groups: [{ name: 'sudo', gid: 2000 }] }, '/groups/0/gid group_exists'],
    [
      'one id for two groups',
      {
        groups: [
          { name: 'a', gid: 2000 },
          { name: 'b', gid: 2000 },
        ],
      },
      '/groups/1/gid duplicate_gid',
    ],
    ['a group that nobody makes', { users: [user({ groups: ['wireshark'] })] }, '/users/0/groups/0 unknown_group'],
    [
      'a shell of a package that is not there',
      { users: [user({ shell: '/bin/zsh' })] },
      '/users/0/shell shell_missing',
    ],
    ['a shell of no package', { users: [user({ shell: '/usr/bin/bsh' })] }, '/users/0/shell shell_missing'],
    ['a shell that ends in a slash', { users: [user({ shell: '/bin/zsh/' })] }, '/users/0/shell shell_missing'],
    ['a home where nothing stays', { users: [user({ home: '/var/run/ada' })] }, '/users/0/home lost_place'],
    [
      'an owner from nowhere',
      { files: [{ path: '/etc/a', content: '', owner: 'nobody-knows' }] },
      '/files/0/owner unknown_owner',
    ],
    ['a group as an owner', { files: [{ path: '/etc/a', content: '', owner: 'adm' }] }, '/files/0/owner unknown_owner'],
    [
      'a home with the mark between the fields of passwd(5)',
      { users: [user({ home: '/srv/a:b' })] },
      '/users/0/home home_name',
    ],
    ['a home that is a directory of the system', { users: [user({ home: '/usr/bin' })] }, '/users/0/home home_of_base'],
    ['a home above others', { users: [user({ home: '/home/' })] }, '/users/0/home home_of_base'],
    [
      'an interpreter that is not there',
      { startup_scripts: [{ name: 's', script: '#!/usr/bin/env python3\n' }] },
      '/startup_scripts/0/script interpreter_missing',
    ],
    ...[
      '#!/usr/bin/env bash -e',
      '#!/usr/bin/env FOO=1 bash',
      '#!/bin/bash -e -x',
      '#!/bin/sh\rexit',
      '#!/usr/bin/env -S',
      '#!/usr/bin/env -i bash',
    ].map((line): [string, Record<string, unknown>, string] => [
      `"${line}", which would not start`,
      { startup_scripts: [{ name: 's', script: `${line}\n` }] },
      '/startup_scripts/0/script interpreter_line',
    ]),
    [
      'a first line that is longer than Linux reads',
      { startup_scripts: [{ name: 's', script: `#!/bin/sh a${' '.repeat(250_000)}x\n` }] },
      '/startup_scripts/0/script interpreter_line',
    ],
    [
      'what env -S would not find',
      { startup_scripts: [{ name: 's', script: '#!/usr/bin/env -S python3 -u\n' }] },
      '/startup_scripts/0/script interpreter_missing',
    ],
  ])('refuse %s', async (_what, more, expected) => expect(found((await check(more, base)).errors)).toContain(expected));

  it.each<[string, Record<string, unknown>]>([
    ['a group named like a user: it is the user’s own', { groups: [{ name: 'ada' }], users: [user()] }],
    ['groups of the base', { users: [user({ groups: ['adm', 'kvm', 'plugdev', 'users'] })] }],
    [
      'shells of the base, by both names',
      {
        users: [
          user({ shell: '/bin/sh' }),
          user({ username: 'bob', shell: '/usr/bin/bash' }),
          user({ username: 'eve', shell: '/usr/sbin/nologin' }),
        ],
      },
    ],
    ['a shell that a package brings', { packages: ['zsh'], users: [user({ shell: '/bin/zsh' })] }],
    ['a shell that another package needs', { packages: ['zsh-antigen'], users: [user({ shell: '/usr/bin/zsh' })] }],
    [
      'a shell of the recipe itself',
      {
        files: [{ path: '/usr/local/bin/only-backup', content: '#!/bin/sh\n', mode: '0755' }],
        users: [user({ shell: '/usr/local/bin/only-backup' })],
      },
    ],
    [
      'interpreters of the base',
      {
        startup_scripts: [
          '#!/bin/sh',
          '#! /usr/bin/perl -w',
          '#!/usr/bin/env bash',
          '#!/usr/bin/awk -f',
          '#!/usr/bin/env -S bash -e',
          '#!/usr/bin/env -S FOO=1 bash -e',
          '#!/bin/bash -ex',
          '#!/usr/bin/perl -w -T',
        ].map((line, at) => ({ name: `s${at}`, script: `${line}\n` })),
      },
    ],
    [
      'owners of base and recipe',
      {
        groups: [{ name: 'devs' }],
        users: [user()],
        files: [
          { path: '/srv/a', content: '', owner: 'www-data', group: 'adm' },
          { path: '/srv/b', content: '', owner: 'ada', group: 'devs' },
        ],
      },
    ],
  ])('take %s', async (_what, more) => expect((await check(more, base)).errors).toEqual([]));
});

describe('accounts of packages', () => {
  it('are known by the package, also one that only another needs', async () => {
    expect(found((await check({ features: ['postgresql'], users: [user({ username: 'postgres' })] })).errors)).toEqual([
      '/users/0/username reserved_user',
    ]);
    expect(found((await check({ users: [user({ username: 'postgres' })] })).errors)).toEqual([]);
    expect(found((await check({ packages: ['postfix'], users: [user({ groups: ['postdrop'] })] })).errors)).toEqual([]);
    expect(found((await check({ features: ['docker'], users: [user({ username: 'docker' })] })).errors)).toEqual([
      '/users/0/username reserved_user',
    ]);
  });

  it('may be named among the groups, without an id', async () => {
    const { errors, warnings } = await check({
      features: ['docker'],
      groups: [{ name: 'docker' }],
      users: [user({ groups: ['docker'] })],
    });
    expect([found(errors), found(warnings)]).toEqual([[], ['/groups/0/name group_exists']]);
    expect(found((await check({ features: ['docker'], groups: [{ name: 'docker', gid: 2375 }] })).errors)).toEqual([
      '/groups/0/gid group_exists',
    ]);
  });

  it('that nobody here has heard of are left to the build', async () => {
    const { errors, warnings } = await check({
      packages: ['curl'],
      files: [{ path: '/etc/a', content: '', owner: 'unheard-of' }],
      users: [user({ shell: '/usr/bin/unheard-of' })],
    });
    expect([found(errors), found(warnings)]).toEqual([
      [],
      ['/users/0/shell shell_unknown', '/files/0/owner unknown_owner'],
    ]);
  });
});

it('a file may be a package’s account that has capitals in its name, and nobody of the recipe clashes with it', async () => {
  const file = { path: '/etc/a', content: '', owner: 'Debian-snmp', group: 'Debian-snmp' };
  expect(
    (await check({ features: ['snmp'], files: [file], users: [user({ groups: ['Debian-snmp'] })] })).errors,
  ).toEqual([]);
  expect(found((await check({ files: [file] })).errors)).toEqual([
    '/files/0/owner unknown_owner',
    '/files/0/group unknown_owner',
  ]);
  expect(
    found(
      (
        await check({
          features: ['snmp'],
          users: [user({ username: 'Debian-snmp' })],
          groups: [{ name: 'Debian-snmp' }],
        })
      ).errors,
    ),
  ).toEqual(expect.arrayContaining(['/users/0/username reserved_user', '/groups/0/name account_name']));
});

describe('root', () => {
  const root = (more: object) => ({
    security: { disable_root: false },
    users: [{ username: 'root', password: 'correct horse', ...more }],
  });
  it('is what the base makes of it', async () => {
    expect(found((await check(root({ uid: 1000, home: '/home/root', sudo: true, groups: ['adm'] }))).errors)).toEqual(
      ['uid', 'home', 'groups', 'sudo'].map((key) => `/users/0/${key} root_fixed`),
    );
    expect((await check(root({ shell: '/bin/sh' }))).errors).toEqual([]);
  });
});

it('names what was probably meant', async () => {
  const { errors } = await check({ users: [user({ shell: '/bin/zsh', groups: ['sduo'] })] });
  expect(errors.map(({ suggestion }) => suggestion)).toEqual(['sudo', 'packages: zsh']);
});
