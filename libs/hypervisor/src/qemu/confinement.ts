import type { ChildProcess } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { buildAccount, spawnProgram, type Account } from '#libs/platform';

export interface Confinement {
  /** The one directory that may be written, seen as `guestDir`. Absent: none. */
  writableDir?: string;
  /** Host file -> where it is seen. */
  readOnly?: Record<string, string>;
  /** Whether /dev/kvm is seen. */
  kvm: boolean;
  /** Of address space. Absent: no limit. */
  addressBytes?: number;
}

/** Where a confined QEMU sees its directory: the host's path, and its length, are no matter. */
export const guestDir = '/guest';
const kvmDevice = '/dev/kvm';
/** Of any file QEMU writes: a copy of the firmware's variables, a screenshot. */
const fileSizeBytes = 64 << 20;

/**
 * The account of builds. Where only the group of /dev/kvm may open it, as udev has it on Debian, that group takes the place of the account's own:
 * supplementary groups are all dropped.
 */
export async function guestAccount(): Promise<Account | undefined> {
  const account = await buildAccount();
  if (!account) return undefined;
  const device = await stat(kvmDevice).catch(() => undefined);
  const byGroup = device !== undefined && device.gid !== 0 && (device.mode & 0o066) === 0o060;
  return byGroup ? { uid: account.uid, gid: device.gid } : account;
}

/**
 * bwrap(1): namespaces of its own of every kind, so no network, not even the host's loopback, and no process to see but its own; of the host's
 * files the programs in /usr and what is named. Ends with the factory: the first process of the pid namespace dies with its parent.
 */
export function spawnConfined(program: string, args: readonly string[], files: Confinement, account: Account | undefined): ChildProcess {
  const places = [
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...Object.entries(files.readOnly ?? {}).flatMap(([host, seen]) => ['--ro-bind', host, seen]),
    ...(files.writableDir === undefined ? [] : ['--bind', files.writableDir, guestDir]),
    ...(files.kvm ? ['--dev-bind-try', kvmDevice, kvmDevice] : []),
  ];
  const namespaces = ['--unshare-all', '--unshare-user', '--disable-userns', '--die-with-parent', '--cap-drop', 'ALL', '--hostname', 'guest', '--chdir', '/'];
  const environment = ['--clearenv', '--setenv', 'PATH', '/usr/bin', '--setenv', 'LC_ALL', 'C.UTF-8', '--setenv', 'TMPDIR', '/tmp'];
  const limits = ['prlimit', `--fsize=${fileSizeBytes}`, '--core=0', '--nofile=1024', ...(files.addressBytes === undefined ? [] : [`--as=${files.addressBytes}`]), '--'];
  return spawnProgram('bwrap', [...namespaces, ...environment, ...places, '--', ...limits, program, ...args], account ? { account } : {});
}
