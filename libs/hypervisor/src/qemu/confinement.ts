import type { ChildProcess } from 'node:child_process';
import { runProgram, spawnProgram, type ProgramResult, type RunOptions, type SpawnOptions } from '#libs/platform';
import { onProcessors } from './host-processors.js';

export interface Confinement {
  /** Host file or directory -> where it is seen, and may be written. */
  writable?: Record<string, string>;
  /** Host file -> where it is seen. */
  readOnly?: Record<string, string>;
  /** The program and arguments that bwrap is started by; it then shares the network that they join. Absent: no network. */
  join?: readonly string[];
  /** Whether /dev/kvm is seen. */
  kvm?: boolean;
  /** Of address space. Absent: no limit. */
  addressBytes?: number;
  /** Of any one file. Default 64 MiB: a copy of the firmware's variables, a screenshot. */
  fileBytes?: number;
  /** Processes and threads of its account at once; means something only where the account is its own. Absent: no limit. */
  processes?: number;
  /** Of the host, by their numbers; it runs on no other. Absent: on all. */
  processors?: readonly number[];
  /** Sees itself as root, as which files that it writes into a file system are then root's. */
  asRoot?: boolean;
}

type ConfinedSpawn = Pick<SpawnOptions, 'account' | 'survives' | 'inherit' | 'output'>;

/** Where bwrap writes the number of the process that it confines (bwrap(1), --info-fd): the first inherited descriptor. */
export const infoDescriptor = 3;

/** As `runConfined`, for a program that stays; `inherit` begins with the pipe for bwrap's information. Ends with the factory unless it `survives`. */
export function spawnConfined(
  program: string,
  args: readonly string[],
  confinement: Confinement,
  options: ConfinedSpawn,
): ChildProcess {
  const info = options.inherit ? ['--info-fd', String(infoDescriptor)] : [];
  const [first, ...rest] = [
    ...(confinement.join ?? []),
    'bwrap',
    ...(options.survives ? [] : ['--die-with-parent']),
    ...info,
    ...confined(program, args, confinement),
  ];
  return spawnProgram(first as string, rest, options);
}

/** Runs a confined program to its end. @throws ProgramError */
export async function runConfined(
  program: string,
  args: readonly string[],
  confinement: Confinement,
  options: RunOptions,
): Promise<ProgramResult> {
  return await runProgram('bwrap', ['--die-with-parent', ...confined(program, args, confinement)], options);
}

/**
 * bwrap(1): namespaces of its own of every kind, so no network but a joined one, not even the host's loopback, and no process to see but its own; of the host's
 * files the programs in /usr and what is named. It is the first process of its pid namespace: nothing that it started outlives it.
 */
function confined(
  program: string,
  args: readonly string[],
  { readOnly = {}, writable = {}, ...limits }: Confinement,
): string[] {
  const binds = (kind: string, places: Record<string, string>) =>
    Object.entries(places).flatMap(([host, seen]) => [kind, host, seen]);
  const places = [
    ...[
      '--ro-bind',
      '/usr',
      '/usr',
      '--symlink',
      'usr/bin',
      '/bin',
      '--symlink',
      'usr/lib',
      '/lib',
      '--symlink',
      'usr/lib64',
      '/lib64',
    ],
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...binds('--ro-bind', readOnly),
    ...binds('--bind', writable),
    ...(limits.kvm ? ['--dev-bind-try', '/dev/kvm', '/dev/kvm'] : []),
  ];
  const namespaces = [
    '--unshare-all',
    ...(limits.join ? ['--share-net'] : []),
    '--unshare-user',
    '--disable-userns',
    '--as-pid-1',
    '--cap-drop',
    'ALL',
    '--hostname',
    'guest',
    '--chdir',
    '/',
  ];
  const identity = limits.asRoot ? ['--uid', '0', '--gid', '0'] : [];
  // One arena (mallopt(3)): each thread's own would keep some hundred kilobytes that no other may use, a mebibyte of every clone's.
  const variables = { PATH: '/usr/bin:/usr/sbin', LC_ALL: 'C.UTF-8', TMPDIR: '/tmp', MALLOC_ARENA_MAX: '1' };
  const environment = [
    '--clearenv',
    ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
  return [
    ...namespaces,
    ...identity,
    ...environment,
    ...places,
    '--',
    'prlimit',
    ...resourceLimits(limits),
    '--',
    ...(limits.processors ? onProcessors(limits.processors) : []),
    program,
    ...args,
  ];
}

/** setrlimit(2), as control groups may be absent or not ours to give. */
function resourceLimits({ fileBytes = 64 << 20, addressBytes, processes }: Confinement): string[] {
  return [
    `--fsize=${fileBytes}`,
    '--core=0',
    '--nofile=1024',
    ...(addressBytes === undefined ? [] : [`--as=${addressBytes}`]),
    ...(processes === undefined ? [] : [`--nproc=${processes}`]),
  ];
}
