import { buildFilter } from '#libs/platform';

/**
 * What dpkg and maintainer scripts need to install files of many owners; everything else that root may do, they may not (capabilities(7)). Low ports are
 * those of a network of its own that leads nowhere: servers that check their configuration open theirs (nginx -t).
 */
export const keptCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'NET_BIND_SERVICE',
  'SETFCAP',
] as const;

/** mmdebstrap(1) makes a chroot, with the mounts that are in one. */
export const chrootCapabilities = [...keptCapabilities, 'SYS_ADMIN', 'SYS_CHROOT'] as const;

/** bwrap(1): these capabilities and no others, and the filter that is descriptor 3. */
export const bounded = (capabilities: readonly string[]): string[] => [
  '--cap-drop',
  'ALL',
  ...capabilities.flatMap((name) => ['--cap-add', `CAP_${name}`]),
  '--seccomp',
  '3',
];

/**
 * bwrap(1) for programs of strangers: few capabilities, a filter of system calls (its descriptor 3, see `handed`), a terminal and processes of their own,
 * and devices that are only looked at: what is written to /dev itself would be memory that nobody counts.
 */
export const restraints = [
  // Settings of a namespace may be written by its root without any capability.
  '--proc',
  '/proc',
  '--ro-bind',
  '/proc/sys',
  '/proc/sys',
  '--dev',
  '/dev',
  '--unshare-pid',
  '--unshare-cgroup-try',
  '--unshare-uts',
  '--hostname',
  'localhost',
  '--die-with-parent',
  '--new-session',
  ...bounded(keptCapabilities),
];
/** After everything that is mounted below /dev. */
export const readOnlyDevices = ['--remount-ro', '/dev'];

export const handed = (options?: { mayMount: boolean }): Buffer[] => [buildFilter(process.arch, options)];
