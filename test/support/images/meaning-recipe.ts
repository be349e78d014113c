/** What a recipe says beyond packages and services, for the two shared images: test/live/recipe-meaning.spec.ts asks for each. */
export const saidByFiles = [
  { path: '/var/log/myapp.log', content: '-- log begins --\n', owner: 'ada', group: 'adm', mode: '0640' },
  { path: '/var/log/apt/kept.log', content: 'kept\n' },
  { path: '/var/cache/man/kept', content: 'kept\n' },
  { path: '/mnt/data/README', content: 'read me\n' },
  { path: '/bin/by-alias', content: '#!/bin/sh\r\necho "by $0"\r\n', mode: '0755' },
  { path: '/srv/data/', type: 'directory', owner: 'ada', group: 'devs', mode: '2770' },
  { path: '/srv/plain', type: 'directory' },
  { path: '/home/ada/.config/app/settings.ini', content: '[app]\n', owner: 'ada', group: 'ada', mode: '0600' },
  { path: '/home/ada/.ssh/config', content: 'Host *\n', owner: 'ada', group: 'ada', mode: '0600' },
  { path: '/home/ada/.local/share', type: 'directory', owner: 'ada', group: 'ada' },
  { path: '/var/www/site/index.html', content: 'site\n' },
] as const;

export const saidGroups = [{ name: 'devs', gid: 1500 }, { name: 'eve' }] as const;
export const saidUser = {
  username: 'eve',
  password_hash: '!',
  groups: ['devs'],
  shell: '/bin/sh',
  home: '/srv/eve/',
} as const;
