import { asAccount, runProgram, type Account, type ProgramResult, type RunOptions } from './run-program.js';

export interface NamespaceOptions extends Omit<RunOptions, 'account' | 'allowSetuid'> {
  /** The account whose subordinate ids fill the namespace; undefined: our own. */
  account: Account | undefined;
  /** A process of the host whose mount namespace ours is made from; only for root. */
  mounts?: number;
  /** Bytes that any file the program writes may have. Default 16 GiB. */
  fileSizeBytes?: number;
  /** Processes and threads at once, of each id inside. Default 512. */
  processes?: number;
  /** Bytes of memory of its own that each process may have (RLIMIT_DATA). Default: no limit. */
  processBytes?: number;
}

/**
 * Whatever ids a program takes inside, its processes are the account's too, which may have so many more on the whole host: room for what else it runs
 * (the limit at the time the namespace is made; user_namespaces(7)).
 */
const processesBeside = 512;
/** Pages of System V shared memory, which no other limit counts. */
const sharedMemoryPages = 65_536;

/**
 * Behind guests and the API, without being starved by them: beside one of their programs that is busy, a quarter of a processor; and the last of the disk that
 * is not idle. Where the kernel shares time between sessions first (sched(7), autogroup), the number of a process alone would count within its own session only.
 */
const niceness = 5;
const behindOthers = ['nice', `--adjustment=${niceness}`, 'ionice', '--class=best-effort', '--classdata=7', '--ignore'];
/** For sh(1): its session too is behind others. Any session that a program makes begins without. The kernel takes ten such changes a second. */
export const sessionBehindOthers = `[ ! -e /proc/self/autogroup ] || for try in 1 2 3 4 5 6 7 8; do { echo ${niceness} > /proc/self/autogroup; } 2>/dev/null && break; sleep 0.1; done`;

/**
 * In the new namespaces: no further user namespace, a bound on shared memory where the kernel lets the namespace set it, and first to go when memory
 * runs out; a loopback of its own, without which mail servers do not install. Then it becomes the program.
 */
const settle = `${sessionBehindOthers}; echo 0 > /proc/sys/user/max_user_namespaces && { echo ${sharedMemoryPages} > /proc/sys/kernel/shmall; } 2>/dev/null; ip link set lo up && echo 1000 > /proc/self/oom_score_adj && exec "$@"`;

/**
 * Runs a program as uid 0 of a user namespace of its own (user_namespaces(7)), with the account's subordinate ids mapped, and in mount, pid,
 * network, ipc and uts namespaces of its own: no network but a loopback of its own, no process to see but its own. When it ends, the pid
 * namespace ends with it: nothing it started survives, and its mounts are gone. On the host it is the unprivileged account, no more.
 */
export async function runInNamespaces(
  program: string,
  args: readonly string[],
  { account, fileSizeBytes = 16 * 2 ** 30, processes = 512, processBytes, mounts, ...options }: NamespaceOptions,
): Promise<ProgramResult> {
  const namespaces = [
    '--user',
    '--map-auto',
    '--map-root-user',
    '--mount',
    '--propagation=private',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    '--mount-proc',
    '--net',
    '--ipc',
    '--uts',
  ];
  const limits = [
    `--fsize=${fileSizeBytes}`,
    `--nproc=${processes}`,
    '--core=0',
    ...(processBytes === undefined ? [] : [`--data=${processBytes}`]),
  ];
  // Our own account has processes of other kinds, so there is no number that would be right for all of them.
  const outer = account ? ['prlimit', `--nproc=${processes + processesBeside}`, '--'] : [];
  const entry =
    mounts === undefined || !account ? [] : ['nsenter', `--mount=/proc/${mounts}/ns/mnt`, '--', ...asAccount(account)];
  const [first, ...rest] = [
    ...entry,
    ...outer,
    ...behindOthers,
    'unshare',
    ...namespaces,
    '--',
    'sh',
    '-c',
    settle,
    'sh',
    'prlimit',
    ...limits,
    '--',
    program,
    ...args,
  ] as [string, ...string[]];
  // TERM does not reach the first process of a pid namespace (pid_namespaces(7)), and nothing in one needs time to put itself in order: it goes as a whole.
  return await runProgram(first, rest, {
    ...options,
    ...(account && entry.length === 0 && { account }),
    allowSetuid: true,
    killGraceMs: 0,
  });
}
