import { describe, expect, it } from '@jest/globals';
import { namesOf } from '#libs/recipes';
import { imageRecipes } from '../support/images/image-recipes.js';
import { useImage } from '../support/images/use-image.js';

const minutes = 60_000;

/** What a recipe says stands in the running system: asked of the shared images, whose recipes say it (test/support/images/meaning-recipe.ts). */
describe.each(['sink', 'sinkTrixie'] as const)('what the recipe of %s says', (name) => {
  const image = useImage(name);
  const recipe = imageRecipes[name];

  it(
    'stands in the system, as it was said',
    async () => {
      await image.inClone(
        async ({ run, sh }) => {
          // Locale: of a login shell, and in effect.
          expect(await sh('su - ada -c \'echo "$LANG"; locale charmap\'')).toBe('de_DE.UTF-8\nUTF-8');
          expect(await run('readlink', '/etc/default/locale')).toBe('../locale.conf');
          // Zone: Pacific time by whatever name the base has.
          expect(await sh('TZ= ; unset TZ; date -d @1750000000 +%Z%z')).toBe('PDT-0700');
          expect(
            await sh(
              'test -e /etc/localtime && zone=$(cat /etc/timezone) && cmp "/usr/share/zoneinfo/$zone" /etc/localtime && echo same',
            ),
          ).toBe('same');

          const owned = async (...paths: string[]) => await run('stat', '-c', '%U:%G %a %n', ...paths);
          expect(await owned('/var/log/myapp.log', '/srv/data', '/srv/plain', '/mnt/data', '/mnt/data/README')).toBe(
            [
              'ada:adm 640 /var/log/myapp.log',
              'ada:devs 2770 /srv/data',
              'root:root 755 /srv/plain',
              'root:root 755 /mnt/data',
              'root:root 644 /mnt/data/README',
            ].join('\n'),
          );
          expect(await sh('cat /var/log/myapp.log /var/log/apt/kept.log /var/cache/man/kept /mnt/data/README')).toBe(
            '-- log begins --\nkept\nkept\nread me',
          );
          // What lies above a user's file in a home is the user's; elsewhere it is root's.
          expect(
            await owned(
              ...[
                '/.config',
                '/.config/app',
                '/.config/app/settings.ini',
                '/.ssh',
                '/.ssh/config',
                '/.local',
                '/.local/share',
              ].map((place) => `/home/ada${place}`),
              '/var/www/site',
            ),
          ).toBe(
            [
              'ada:ada 755 /home/ada/.config',
              'ada:ada 755 /home/ada/.config/app',
              'ada:ada 600 /home/ada/.config/app/settings.ini',
              'ada:ada 700 /home/ada/.ssh',
              'ada:ada 600 /home/ada/.ssh/config',
              'ada:ada 755 /home/ada/.local',
              'ada:ada 755 /home/ada/.local/share',
              'root:root 755 /var/www/site',
            ].join('\n'),
          );
          // A script from Windows runs, by both names of its place.
          expect(await sh('/bin/by-alias; /usr/bin/by-alias')).toBe('by /bin/by-alias\nby /usr/bin/by-alias');
          // A group named like a user is the user's own; an id that was asked for is there.
          expect(
            await sh('id -gn eve; id -Gn eve; getent group devs | cut -d: -f3; getent passwd eve | cut -d: -f6,7'),
          ).toBe('eve\neve devs\n1500\n/srv/eve:/bin/sh');

          const line = (await run('cat', '/proc/cmdline')).split(' ');
          for (const argument of 'kernel_args' in recipe.system ? recipe.system.kernel_args : [])
            expect(line).toContain(argument);
          if ('keyboard' in recipe.system)
            expect(await run('cat', '/etc/default/keyboard')).toMatch(/^XKBLAYOUT="de"\nXKBVARIANT="nodeadkeys"$/m);
          if (name === 'sinkTrixie')
            expect(
              await sh(
                'for second in $(seq 120); do test -s /var/lib/hello.txt && break; sleep 1; done; cat /var/lib/hello.txt',
              ),
            ).toBe('hello');
        },
        { name: 'meant' },
      );
    },
    5 * minutes,
  );

  it(
    'is checked against what the base really has',
    async () => {
      const known = namesOf(recipe.base_image);
      await image.inClone(async ({ sh }) => {
        const lines = async (command: string) => (await sh(command)).split('\n');
        const [zones, users, groups, links] = [
          await lines(
            'cd /usr/share/zoneinfo && find . -type f -o -type l | sed "s,^\\./,," | grep -E "^(Africa|America|Asia|Europe|Australia|Pacific)/"',
          ),
          await lines('cut -d: -f1,3 /etc/passwd'),
          await lines('cut -d: -f1,3 /etc/group'),
          await lines('for link in /bin /lib /sbin /var/run /var/lock; do echo "$link $(readlink -f $link)"; done'),
        ];
        expect(zones.filter((zone) => !known.zones.has(zone))).toEqual([]);
        expect(zones.length).toBeGreaterThan(300);
        // Ids below 100 are fixed (Debian Policy 9.2.2); others are given out as packages come.
        const fixed = (entries: string[]) =>
          entries
            .map((entry) => entry.split(':'))
            .filter(([, id]) => Number(id) < 100)
            .map(([account, id]) => `${account} ${id}`);
        expect(fixed(users)).toEqual(
          [...known.users].filter(([, id]) => id < 100).map(([account, id]) => `${account} ${id}`),
        );
        expect(fixed(groups)).toEqual(
          [...known.groups].filter(([, id]) => id < 100).map(([account, id]) => `${account} ${id}`),
        );
        const there = groups.map((entry) => entry.split(':')[0]);
        expect([...known.groups.keys()].filter((group) => !there.includes(group))).toEqual([]);
        expect(links).toEqual(
          [...new Set(links)].filter((link) => link.split(' ')[1] === known.dirLinks.get(link.split(' ')[0] ?? '')),
        );
        // What systemd-tmpfiles puts into the place of a file is known to validation, or is not a recipe's to write.
        const replaced = (
          await lines(
            'cat /usr/lib/tmpfiles.d/*.conf | grep -E "^[LCpcbfF]\\+" | cut -d" " -f2 | grep "^/" | grep -vE "^/(run|tmp|dev|proc|sys)/" | sort -u',
          )
        ).filter(Boolean);
        expect(
          replaced.filter((place) => !['/etc/default/locale', '/etc/mtab', '/etc/vconsole.conf'].includes(place)),
        ).toEqual([]);
      });
    },
    5 * minutes,
  );
});
