import { namesOf, splitKeyboard, type AptSource, type RecipeDto, type Resolution } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

/** Identity (/etc/openfactory-release is quoted as os-release(5) is), time, language, keyboard; and what every image needs to become a machine of its own at its first boot. */
export function renderSystem(plan: ImagePlan, recipe: RecipeDto, { base }: Resolution): void {
  const { system, networking, name, description } = recipe;
  const hostname = networking?.hostname ?? name;
  const full = networking?.domain ? `${hostname}.${networking.domain} ${hostname}` : hostname;
  plan.file({ path: '/etc/hostname', content: `${hostname}\n` });
  const hosts = (networking?.hosts ?? []).map(({ ip, names }) => `${ip} ${names.join(' ')}\n`);
  plan.file({
    path: '/etc/hosts',
    content: `127.0.0.1 localhost\n127.0.1.1 ${full}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n${hosts.join('')}`,
  });
  plan.run(['ln', '-sf', `/usr/share/zoneinfo/${system.timezone}`, '/etc/localtime']);
  plan.file({ path: '/etc/timezone', content: `${system.timezone}\n` });
  if (!['C.UTF-8', 'C', 'POSIX'].includes(system.locale)) {
    plan.file({
      path: '/etc/locale.gen',
      content: `${system.locale} ${namesOf(base.id).locales.get(system.locale) ?? 'UTF-8'}\n`,
    });
    plan.run(['locale-gen'], { from: '/system/locale' });
  }
  // Debian 13 reads the first and makes the second a link to it at every boot (systemd's tmpfiles.d); Debian 12 reads the second.
  plan.file({ path: '/etc/locale.conf', content: `LANG=${system.locale}\n` });
  plan.run(['ln', '-sfn', '../locale.conf', '/etc/default/locale']);
  const { layout, variant = '' } = splitKeyboard(system.keyboard);
  plan.file({
    path: '/etc/default/keyboard',
    content: `XKBMODEL="pc105"\nXKBLAYOUT="${layout}"\nXKBVARIANT="${variant}"\nXKBOPTIONS=""\nBACKSPACE="guess"\n`,
  });
  plan.file({
    path: '/etc/openfactory-release',
    content: `NAME=${name}\nDESCRIPTION="${description.replace(/\s+/g, ' ').replace(/["$`\\]/g, '\\$&')}"\n`,
  });
  // A guest that gets little of a processor takes longer than 90 s to its devices, and then has no login prompt for as long as it runs (systemd.unit(5)).
  plan.file({
    path: '/etc/systemd/system/dev-ttyS0.device.d/10-openfactory.conf',
    content: '[Unit]\nJobRunningTimeoutSec=15min\n',
  });
  renderFirstBoot(plan);
}

/** sources.list(5). The base was installed from a repository that exists only while building. */
export function renderAptSources(plan: ImagePlan, sources: AptSource[]): void {
  const lines = sources.map(({ uri, suite, components }) => `deb ${uri} ${suite} ${components.join(' ')}\n`);
  plan.file({
    path: '/etc/apt/sources.list',
    content: lines.length
      ? lines.join('')
      : '# No mirror was configured where this image was built (OPENFACTORY_DEBIAN_MIRROR).\n',
  });
}

/** No RSA: every client since OpenSSH 6.5 knows one of the two, and a slow CPU looks for primes for minutes. The last is what says that all are there. */
const makeSshHostKeys =
  'for type in ecdsa ed25519; do key=/etc/ssh/ssh_host_$${type}_key; rm -f $$key; ssh-keygen -q -t $$type -N "" -f $$key || exit; done';

/** SSH host keys are made by each machine for itself. live-boot's root is always writable, so an empty machine-id fills itself (machine-id(5)). */
function renderFirstBoot(plan: ImagePlan): void {
  plan.file({
    path: '/etc/systemd/system/of-ssh-host-keys.service',
    content: [
      '[Unit]',
      'Description=Make SSH host keys for this machine',
      'ConditionPathExists=/usr/bin/ssh-keygen',
      'ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key',
      'Before=ssh.service',
      '',
      '[Service]',
      'Type=oneshot',
      'RemainAfterExit=yes',
      `ExecStart=/bin/sh -c '${makeSshHostKeys}'`,
      '',
      '[Install]',
      'WantedBy=multi-user.target',
      '',
    ].join('\n'),
  });
  plan.enable('of-ssh-host-keys.service');
}
