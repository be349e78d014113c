import { runProgram, type Account, type ProgramResult, type RunOptions } from './run-program.js';

export interface NamespaceOptions extends Omit<RunOptions, 'account' | 'allowSetuid'> {
  /** The account whose subordinate ids fill the namespace; undefined: our own. */
  account: Account | undefined;
  /** Bytes that any file the program writes may have. Default 16 GiB. */
  fileSizeBytes?: number;
  /** Processes and threads at once. Default 4096. */
  processes?: number;
}

/**
 * Runs a program as uid 0 of a user namespace of its own (user_namespaces(7)), with the account's subordinate ids mapped, and in mount, pid,
 * network, ipc and uts namespaces of its own: no network but a loopback that is down, no process to see but its own. When it ends, the pid
 * namespace ends with it: nothing it started survives, and its mounts are gone. On the host it is the unprivileged account, no more.
 */
export async function runInNamespaces(program: string, args: readonly string[], { account, fileSizeBytes = 16 * 2 ** 30, processes = 4096, ...options }: NamespaceOptions): Promise<ProgramResult> {
  const namespaces = ['--user', '--map-auto', '--map-root-user', '--mount', '--propagation=private', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--net', '--ipc', '--uts'];
  const limits = [`--fsize=${fileSizeBytes}`, `--nproc=${processes}`, '--core=0'];
  // TERM does not reach the first process of a pid namespace (pid_namespaces(7)), and nothing in one needs time to put itself in order: it goes as a whole.
  return await runProgram('unshare', [...namespaces, '--', 'prlimit', ...limits, '--', program, ...args], { ...options, ...(account && { account }), allowSetuid: true, killGraceMs: 0 });
}
