import { describe, expect, it } from '@jest/globals';
import { parseInput } from '#libs/platform';
import { RecipeDto, type Resolution } from '#libs/recipes';
import type { PlannedCommand, PlannedDirectory, PlannedFile } from './image-plan.js';
import { planImage } from './plan-image.js';

const plan = (more: object, base = 'debian-trixie') => {
  const recipe = parseInput(RecipeDto, { name: 'web-1', base_image: base, ...more });
  const resolution: Resolution = {
    base: { id: base } as never,
    features: [],
    packages: [],
    installed: [],
    removedPackages: [],
    services: [],
    units: ['ssh.service'],
  };
  const made = planImage(recipe, resolution, []);
  const file = (path: string) => made.steps.find((step): step is PlannedFile => 'path' in step && step.path === path);
  const directory = (path: string) =>
    made.steps.find((step): step is PlannedDirectory => 'directory' in step && step.directory === path);
  const commands = made.steps.filter((step): step is PlannedCommand => 'argv' in step);
  return { made, file, directory, commands, words: commands.map(({ argv }) => argv.join(' ')) };
};

describe('zone, locale and keyboard', () => {
  it.each(['debian-bookworm', 'debian-trixie'])('are written where %s reads them', (base) => {
    const { file, words } = plan(
      { system: { locale: 'de_DE.UTF-8', timezone: 'Europe/Berlin', keyboard: 'de(nodeadkeys)' } },
      base,
    );
    expect(file('/etc/locale.conf')?.content).toBe('LANG=de_DE.UTF-8\n');
    expect(file('/etc/default/locale')).toBeUndefined();
    expect(words).toEqual(
      expect.arrayContaining([
        'ln -sfn ../locale.conf /etc/default/locale',
        'ln -sf /usr/share/zoneinfo/Europe/Berlin /etc/localtime',
        'locale-gen',
      ]),
    );
    expect(file('/etc/default/keyboard')?.content).toContain('XKBLAYOUT="de"\nXKBVARIANT="nodeadkeys"\n');
  });

  it.each([
    ['de_DE.UTF-8', 'UTF-8'],
    ['de_DE', 'ISO-8859-1'],
    ['de_DE@euro', 'ISO-8859-15'],
    ['aa_ER', 'UTF-8'],
  ])('%s is generated in %s', (locale, charset) => {
    expect(plan({ system: { locale } }).file('/etc/locale.gen')?.content).toBe(`${locale} ${charset}\n`);
  });

  it('need no generating where the C library has them', () =>
    expect(plan({ system: { locale: 'C.UTF-8' } }).words).not.toContain('locale-gen'));
});

describe('users and groups', () => {
  it('a group named like a user is the user’s own', () => {
    const { words } = plan({ groups: [{ name: 'ada', gid: 1500 }], users: [{ username: 'ada' }, { username: 'bob' }] });
    expect(words).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^groupadd --gid 1500 -- ada$/),
        expect.stringMatching(/^useradd .*--gid ada -- ada$/),
        expect.stringMatching(/^useradd .*--user-group -- bob$/),
      ]),
    );
  });

  it('ids that are asked for are taken before the next free ones, and each step knows its place in the recipe', () => {
    const { commands } = plan({
      groups: [{ name: 'a' }, { name: 'b', gid: 1000 }],
      users: [{ username: 'c' }, { username: 'd', uid: 1000 }],
    });
    const made = commands
      .filter(({ argv }) => ['groupadd', 'useradd'].includes(argv[0] ?? ''))
      .map(({ argv, from }) => `${argv.at(-1)} ${from}`);
    expect(made).toEqual(['b /groups/1', 'a /groups/0', 'd /users/1', 'c /users/0']);
  });

  it('a group that a package made already is no mistake, an id that is taken is', () => {
    const { words } = plan({ groups: [{ name: 'docker' }, { name: 'devs', gid: 1200 }] });
    expect(words).toEqual(expect.arrayContaining(['groupadd --force -- docker', 'groupadd --gid 1200 -- devs']));
  });

  it('root keeps what is root’s and gets the shell that is asked for', () => {
    const { words } = plan({
      security: { disable_root: false },
      users: [{ username: 'root', shell: '/bin/sh', password_hash: '!' }],
    });
    expect(words).toContain('usermod --shell /bin/sh -- root');
    expect(words.some((line) => line.startsWith('useradd'))).toBe(false);
  });

  it('shells and interpreters are looked for when everything is there', () => {
    const { commands } = plan({
      users: [{ username: 'ada', shell: '/usr/bin/fish' }],
      startup_scripts: [{ name: 's', script: '#!/usr/bin/python3 -u\n' }],
    });
    expect(commands.filter(({ argv }) => argv[0] === 'test').map(({ argv, from }) => [argv[2], from])).toEqual([
      ['/usr/bin/fish', '/users/0/shell'],
      ['/usr/bin/python3', '/startup_scripts/0/script'],
    ]);
  });
});

describe('files', () => {
  it('and directories of the recipe come after the cleaning, with their place in the recipe', () => {
    const { made } = plan({
      files: [
        { path: '/var/log/a.log', content: 'x' },
        { path: '/srv/data/', type: 'directory', mode: '2770', owner: 'ada', group: 'adm' },
        { path: '/srv/b', type: 'directory' },
      ],
    });
    expect(made.afterCleaning.slice(0, 3)).toEqual([
      { path: '/var/log/a.log', content: 'x', mode: undefined, owner: 'root', group: 'root', from: '/files/0' },
      { directory: '/srv/data/', mode: '2770', owner: 'ada', group: 'adm', from: '/files/1' },
      { directory: '/srv/b', mode: undefined, owner: 'root', group: 'root', from: '/files/2' },
    ]);
    expect([...made.beforeCleaning, ...made.afterCleaning]).toEqual(made.steps);
  });

  it('what is said of one interface is not taken by a pattern', () => {
    const { file } = plan({
      networking: {
        interfaces: [
          { match: 'en*', dhcp4: true },
          { name: 'enp1s0', addresses: ['192.0.2.5/24'] },
        ],
      },
    });
    expect([
      file('/etc/systemd/network/10-interface.network')?.content,
      file('/etc/systemd/network/11-interface.network')?.content,
    ]).toEqual([expect.stringContaining('Name=enp1s0\n'), expect.stringContaining('Name=en*\n')]);
  });
});
