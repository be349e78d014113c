import { buildAccount, runInNamespaces, type NamespaceOptions, type ProgramResult } from '#libs/platform';

type Limits = Pick<NamespaceOptions, 'deadlineMs' | 'signal' | 'outputCapBytes' | 'onStdout' | 'okCodes' | 'processes'>;

export interface TreeRun extends Limits {
  /** Directories that are stacked read-only, bottom first. */
  lowers: string[];
  /** The layer that takes what is written; its sibling `<upper>.work` is overlayfs's own. */
  upper: string;
  /** Host directories shown read-only inside, by their place there: below /run, or where the tree has a directory that they stand before. */
  shown?: Record<string, string>;
  environment?: Record<string, string>;
}

const deviceFree = ['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/run', '--unshare-pid', '--unshare-cgroup-try', '--die-with-parent', '--new-session', '--unshare-uts', '--hostname', 'localhost'];
const innerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The only shell in here: it mounts the overlay whose directories are its arguments, then becomes the rest of them. */
const mountAndRun = 'lower=$1 upper=$2 work=$3 merged=$4; shift 4; mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work,userxattr" "$merged" && exec "$@"';

/**
 * Runs a program inside a stack of layers, with the stack as its whole file system: nothing of the host is there but what is `shown`.
 * What it writes ends up in `upper`, and links in the tree lead nowhere but into the tree. (bwrap(1) in our own namespaces.)
 */
export async function runInTree(program: string, args: string[], { lowers, upper, shown = {}, environment = {}, ...limits }: TreeRun): Promise<ProgramResult> {
  const shownArgs = Object.entries(shown).flatMap(([inside, host]) => ['--ro-bind', host, inside]);
  const env = { PATH: innerPath, HOME: '/root', LC_ALL: 'C.UTF-8', TZ: 'UTC', DEBIAN_FRONTEND: 'noninteractive', ...environment };
  const envArgs = ['--clearenv', ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value])];
  const merged = `${upper}.merged`;
  const bwrap = ['bwrap', '--bind', merged, '/', ...deviceFree, ...shownArgs, ...envArgs, '--', program, ...args];
  return await runInNamespaces('sh', ['-c', mountAndRun, 'sh', lowers.toReversed().join(':'), upper, `${upper}.work`, merged, ...bwrap], { account: await buildAccount(), ...limits });
}

/** Runs one of the host's own programs, which we trust, on a tree, as uid 0 of the namespace: it sees the tree's ids as they will be in the image. */
export async function runOnTree(program: string, args: string[], limits: Limits & { env?: Record<string, string>; cwd?: string }): Promise<ProgramResult> {
  return await runInNamespaces(program, args, { account: await buildAccount(), ...limits });
}
