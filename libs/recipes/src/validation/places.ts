interface LostPlace {
  place: RegExp;
  /** What happens to a file there. */
  why: string;
  instead: string;
}

const atBoot = 'write it with a startup script';

/**
 * Places of an image in which nothing of the recipe stays, or where something else is put into its place: read from the exclusions of the
 * pipeline (stages/squashfs.stage.ts, tree/tree-sandbox.ts), the scripts of live-boot, systemd-tmpfiles at boot, and the restore duties of clones.
 * Paths are looked up with the base's links followed.
 */
const lostPlaces: LostPlace[] = [
  { place: /^\/(proc|sys|dev)(\/|$)/, why: 'is a file system of the kernel', instead: atBoot },
  {
    place: /^\/run(\/|$)/,
    why: 'is empty again at every boot',
    instead: `${atBoot}, or put a file into /etc/tmpfiles.d (tmpfiles.d(5))`,
  },
  {
    place: /^\/tmp(\/|$)/,
    why: 'is empty again at every boot',
    instead: 'put it elsewhere, below /srv or /var/lib for example',
  },
  {
    place: /^\/var\/tmp(\/|$)/,
    why: 'is cleared of what is older than 30 days, and files of an image are as old as its packages',
    instead: 'put it elsewhere, below /srv or /var/lib for example',
  },
  {
    place: /^\/boot(\/|$)/,
    why: 'is not part of the root of an image: kernel and initramfs lie beside it',
    instead: 'say kernel arguments in system.kernel_args',
  },
  {
    place: /^\/usr\/lib\/live\/(mount(\/|$)|root\.pid$)/,
    why: 'is where live-boot shows its medium',
    instead: 'put it elsewhere',
  },
  { place: /^\/var\/log\/live(\/|$)/, why: 'is written by live-boot at every boot', instead: 'put it elsewhere' },
  {
    place: /^\/etc\/fstab$/,
    why: 'is written by live-boot at every boot',
    instead: 'give a mount unit below /etc/systemd/system (systemd.mount(5))',
  },
  {
    place: /^\/etc\/network\/interfaces$/,
    why: 'is written by live-boot at every boot',
    instead: 'say it in networking.interfaces',
  },
  { place: /^\/etc\/mtab$/, why: 'is a link into /proc', instead: 'leave it out' },
  {
    place: /^\/etc\/ssh\/ssh_host_[^/]*_key(\.pub)?$/,
    why: 'would be the same in every machine of the image; each makes SSH host keys of its own',
    instead: `${atBoot}, from a secret that the machine is given, or leave it out`,
  },
  {
    place: /^\/(etc|var\/lib\/dbus)\/machine-id$/,
    why: 'would be the same in every machine of the image; each has a machine id of its own',
    instead: 'leave it out',
  },
  {
    place: /^\/var\/lib\/systemd\/(random-seed|credential\.secret)$/,
    why: 'would be the same in every machine of the image; each makes its own',
    instead: 'leave it out',
  },
  { place: /^\/etc\/hostname$/, why: 'is given to each machine', instead: 'say it in networking.hostname' },
  { place: /^\/etc\/hosts$/, why: 'is written for each machine', instead: 'say it in networking.hosts' },
  {
    place: /^\/etc\/(passwd|shadow|group|gshadow)-?$/,
    why: 'would take the place of the accounts of the base, its packages and the recipe',
    instead: 'say them in users and groups',
  },
  { place: /^\/etc\/(localtime|timezone)$/, why: 'is made from system.timezone', instead: 'say it there' },
  {
    place: /^\/etc\/default\/locale$/,
    why: 'is a link to /etc/locale.conf',
    instead: 'say it in system.locale, or write /etc/locale.conf',
  },
  {
    place: /^\/etc\/vconsole\.conf$/,
    why: 'is a link to /etc/default/keyboard',
    instead: 'say it in system.keyboard, or write /etc/default/keyboard',
  },
  {
    place: /^\/(\.updated|etc\/\.updated|var\/\.updated|etc\/ld\.so\.cache|etc\/\.pwd\.lock)$/,
    why: 'is written by the system itself',
    instead: 'leave it out',
  },
];

export const lostPlacePatterns: readonly string[] = lostPlaces.map(({ place }) => place.source);

/** Directories of every base: no file can take their place, and nobody's home is what belongs to all. */
const systemDirs = new Set(
  ['/usr', '/etc', '/var', '/home', '/root', '/srv', '/opt', '/mnt', '/media'].concat(
    [
      'bin',
      'sbin',
      'lib',
      'lib64',
      'share',
      'local',
      'include',
      'games',
      'src',
      'local/bin',
      'local/sbin',
      'local/lib',
      'local/share',
      'local/etc',
      'lib/systemd',
      'lib/systemd/system',
      'share/doc',
    ].map((name) => `/usr/${name}`),
    [
      'apt',
      'default',
      'skel',
      'profile.d',
      'systemd',
      'systemd/system',
      'systemd/network',
      'ssl',
      'ssl/certs',
      'ssl/private',
      'init.d',
      'pam.d',
      'security',
      'udev',
      'modprobe.d',
      'sysctl.d',
      'tmpfiles.d',
      'cron.daily',
    ].map((name) => `/etc/${name}`),
    [
      'lib',
      'log',
      'cache',
      'spool',
      'mail',
      'opt',
      'local',
      'backups',
      'lib/dpkg',
      'lib/apt',
      'lib/systemd',
      'cache/apt',
    ].map((name) => `/var/${name}`),
  ),
);

/** @param place settled */
export const isSystemDir = (place: string): boolean => systemDirs.has(place);

/** Where a path lies, the links of the base followed. Trailing slashes go. */
export function settlePlace(path: string, dirLinks: ReadonlyMap<string, string>): string {
  let place = path.replace(/(?<=.)\/+$/, '');
  for (let left = 8; left > 0; left--) {
    const link = prefixes(place).find((prefix) => dirLinks.has(prefix));
    if (link === undefined) return place;
    place = `${dirLinks.get(link) ?? link}${place.slice(link.length)}`;
  }
  return place;
}

/** Every directory above a path, and the path, outermost first. */
export function prefixes(path: string): string[] {
  const segments = path.split('/').slice(1, 66);
  return segments.map((_segment, at) => `/${segments.slice(0, at + 1).join('/')}`);
}

/** Why a file there would be lost, and what to do instead; undefined where it stays. @param place settled */
export function whyLost(place: string): string | undefined {
  const lost = lostPlaces.find((one) => one.place.test(place));
  return lost && `${place} ${lost.why}: ${lost.instead}.`;
}

/** Places that stay, where a file says something that nobody reads. */
export function whyUnread(place: string): string | undefined {
  if (/^\/(etc|usr\/share)\/initramfs-tools\//.test(place)) return 'the initramfs is made from the base alone';
  if (/^\/etc\/(default\/grub$|default\/grub\.d\/|grub\.d\/|kernel\/cmdline$)/.test(place))
    return 'the kernel line of an image is what system.kernel_args says';
  return undefined;
}
