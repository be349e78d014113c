import type { ProgramResult } from '#libs/platform';
import { bounded, chrootCapabilities, handed } from './restraints.js';
import { runOnTree, type Limits } from './tree-sandbox.js';

export interface ToolRun extends Limits {
  /** Host directories by their place inside: to be read, and to be written to. */
  shown: Record<string, string>;
  written: Record<string, string>;
  environment: Record<string, string>;
}

/** A root with the host's programs and nothing of its state: no home, no configuration but what programs need to start. */
const toolRoot = [
  '--ro-bind',
  '/usr',
  '/usr',
  ...['bin', 'sbin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
  ...['/etc/alternatives', '/etc/ld.so.cache', '/etc/passwd', '/etc/group'].flatMap((file) => [
    '--ro-bind',
    file,
    file,
  ]),
  ...[
    '/etc/apt',
    '/etc/apt/apt.conf.d',
    '/etc/apt/trusted.gpg.d',
    '/etc/dpkg',
    '/var/lib/dpkg',
    '/var/lib/apt',
  ].flatMap((dir) => ['--dir', dir]),
  '--proc',
  '/proc',
  '--dev',
  '/dev',
  '--tmpfs',
  '/tmp',
  '--unshare-pid',
  '--die-with-parent',
  '--new-session',
  '--unshare-uts',
  '--hostname',
  'localhost',
];

/**
 * Runs a program of the host's that makes a chroot, with what a chroot takes and no more: mounts, in namespaces of ours, and the filter of system calls.
 * What it prints to its standard error is in its output.
 */
export async function runInToolRoot(
  program: string,
  args: string[],
  { shown, written, environment, ...limits }: ToolRun,
): Promise<ProgramResult> {
  const binds = (how: string, places: Record<string, string>) =>
    Object.entries(places).flatMap(([inside, host]) => [how, host, inside]);
  const env = [
    '--clearenv',
    ...Object.entries({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...environment }).flatMap(([name, value]) => [
      '--setenv',
      name,
      value,
    ]),
  ];
  const bwrap = [
    ...toolRoot,
    ...bounded(chrootCapabilities),
    ...binds('--ro-bind', shown),
    ...binds('--bind', written),
    ...env,
  ];
  return await runOnTree('bwrap', [...bwrap, '--', 'sh', '-c', 'umask 022; exec "$@" 2>&1', 'sh', program, ...args], {
    ...limits,
    handed: handed({ mayMount: true }),
  });
}
