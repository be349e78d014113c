import {
  buildAccount,
  runInNamespaces,
  sessionBehindOthers,
  type NamespaceOptions,
  type ProgramResult,
} from '#libs/platform';
import { handed, readOnlyDevices, restraints } from './restraints.js';

export type Limits = Pick<
  NamespaceOptions,
  'deadlineMs' | 'signal' | 'outputCapBytes' | 'onStdout' | 'okCodes' | 'processes' | 'handed' | 'mounts'
>;

export interface TreeRun extends Limits {
  /** Directories that are stacked read-only, bottom first. */
  lowers: string[];
  /** The layer that takes what is written; its siblings `<upper>.work` and `<upper>.merged` are overlayfs's own. */
  upper: string;
  /** Host directories shown read-only inside, by their place there: below /run, or where the tree has a directory that they stand before. */
  shown?: Record<string, string>;
  environment?: Record<string, string>;
}

/** What is in memory inside is in one file system: /tmp, /run and /dev/shm share its bounds. */
export const memoryBounds = { bytes: 512 * 2 ** 20, inodes: 65_536 };
/** Bytes of memory of its own that a process of a stranger may have. */
const processBytes = 4 * 2 ** 30;
/** In the session that bwrap makes. */
const becomeIt = `${sessionBehindOthers}; exec "$0" "$@"`;
const innerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The only shell in here: it mounts the file system in memory, and in it the overlay whose directories are its arguments, then becomes the rest of them. */
const mountAndRun = [
  'set -e; lower=$1 upper=$2 work=$3 stage=$4 memory=$5; shift 5; mkdir -p "$upper" "$work" "$stage"',
  'mount -t tmpfs -o "$memory" memory "$stage"',
  'mkdir -m 755 "$stage/tree" "$stage/run"; mkdir -m 1777 "$stage/tmp" "$stage/shm"',
  'mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work,userxattr" "$stage/tree"',
  'exec "$@"',
].join('\n');

/**
 * Runs a program inside a stack of layers, with the stack as its whole file system: nothing of the host is there but what is `shown`.
 * What it writes ends up in `upper`, and links in the tree lead nowhere but into the tree. (bwrap(1) in our own namespaces.)
 */
export async function runInTree(
  program: string,
  args: string[],
  { lowers, upper, shown = {}, environment = {}, ...limits }: TreeRun,
): Promise<ProgramResult> {
  const shownArgs = Object.entries(shown).flatMap(([inside, host]) => ['--ro-bind', host, inside]);
  const env = {
    PATH: innerPath,
    HOME: '/root',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    DEBIAN_FRONTEND: 'noninteractive',
    ...environment,
  };
  const envArgs = ['--clearenv', ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value])];
  const stage = `${upper}.merged`;
  const inMemory = { tmp: '/tmp', run: '/run', shm: '/dev/shm' };
  const binds = Object.entries(inMemory).flatMap(([name, place]) => ['--bind', `${stage}/${name}`, place]);
  const bwrap = [
    'bwrap',
    '--bind',
    `${stage}/tree`,
    '/',
    ...restraints,
    ...binds,
    ...readOnlyDevices,
    ...shownArgs,
    ...envArgs,
    '--',
    '/bin/sh',
    '-c',
    becomeIt,
    program,
    ...args,
  ];
  const memory = `size=${memoryBounds.bytes},nr_inodes=${memoryBounds.inodes},mode=0755,nosuid,nodev`;
  const words = [lowers.toReversed().join(':'), upper, `${upper}.work`, stage, memory, ...bwrap];
  return await runInNamespaces('sh', ['-c', mountAndRun, 'sh', ...words], {
    account: await buildAccount(),
    processBytes,
    handed: handed(),
    ...limits,
  });
}

/** Runs one of the host's own programs, which we trust, on a tree, as uid 0 of the namespace: it sees the tree's ids as they will be in the image. */
export async function runOnTree(
  program: string,
  args: string[],
  limits: Limits & { env?: Record<string, string>; cwd?: string },
): Promise<ProgramResult> {
  return await runInNamespaces(program, args, { account: await buildAccount(), ...limits });
}
