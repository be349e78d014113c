import { constants } from 'node:os';
import {
  allow,
  anyBit,
  answer,
  assemble,
  atLeast,
  equals,
  fail,
  killProcess,
  load,
  place,
  type Instruction,
} from './filter-program.js';
import { syscallNumbers } from './syscall-numbers.js';

const { EPERM, ENOSYS, EAFNOSUPPORT, EOPNOTSUPP } = constants.errno;
/** AUDIT_ARCH_… of linux/audit.h. */
const architectures = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
type Architecture = keyof typeof architectures;
/** Calls of the x32 ABI, which nobody here needs, have this bit. */
const x32Bit = 0x4000_0000;

const mounting = [
  'mount',
  'umount2',
  'pivot_root',
  'move_mount',
  'open_tree',
  'fsopen',
  'fsconfig',
  'fsmount',
  'fspick',
  'mount_setattr',
] as const;
/** What no installation needs, and what has been the way out of sandboxes: namespaces, modules, keys, other processes, the clock, and the kernel's newer engines. */
const refused = [
  'setns',
  'init_module',
  'finit_module',
  'delete_module',
  'kexec_load',
  'kexec_file_load',
  'reboot',
  'swapon',
  'swapoff',
  'acct',
  'quotactl',
  'quotactl_fd',
  'bpf',
  'perf_event_open',
  'userfaultfd',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
  'fanotify_init',
  'memfd_secret',
  'add_key',
  'request_key',
  'keyctl',
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'process_madvise',
  'pidfd_getfd',
  'kcmp',
  'settimeofday',
  'clock_settime',
  'clock_adjtime',
  'adjtimex',
  'sethostname',
  'setdomainname',
  'syslog',
  'vhangup',
  'lookup_dcookie',
  'name_to_handle_at',
  'open_by_handle_at',
  'move_pages',
  'migrate_pages',
  'iopl',
  'ioperm',
  'modify_ldt',
  'uselib',
  'ustat',
  'sysfs',
  '_sysctl',
  'nfsservctl',
  'vm86',
] as const;
/** C libraries go on without them: clone3's flags lie in memory, where no filter looks; memory files count for no limit; space is taken by writing, never at one stroke. */
const unknown = { clone3: ENOSYS, memfd_create: ENOSYS, fallocate: EOPNOTSUPP } as const;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h. */
const newMounts = 0x0002_0000;
const newNamespaces = newMounts | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
/** TIOCSTI and TIOCLINUX: typing into somebody's terminal. */
const terminalTricks = [0x5412, 0x541c];
const families = { unix: 1, inet: 2, inet6: 10, netlink: 16 };
/** NETLINK_ROUTE, SOCK_DIAG and KOBJECT_UEVENT: not the packet filter's, which is where most ways into the kernel were found. */
const netlinkProtocols = [0, 4, 15];

/**
 * The system calls that maintainer scripts may make: a filter as bwrap's --seccomp takes it. Refused calls fail, so that programs can go on without;
 * what is newer than our table is as if the kernel did not have it. Calls of another architecture end the process.
 * @param mayMount for programs of ours that make a chroot, in a mount namespace of their own
 */
export function buildFilter(arch: string = process.arch, { mayMount = false } = {}): Buffer {
  if (!isKnown(arch)) throw new Error(`no filter of system calls is known for ${arch}`);
  const numbers: Partial<Record<string, number>> = syscallNumbers[arch];
  const when = (name: string, then: Instruction[]): Instruction[] => {
    const number = numbers[name];
    return number === undefined ? [] : [equals(number, 0, then.length), ...then];
  };
  const latest = Math.max(...Object.values(syscallNumbers[arch]));
  const checks = [
    ...[...(mayMount ? [] : mounting), ...refused].flatMap((name) => when(name, [answer(fail(EPERM))])),
    ...Object.entries(unknown).flatMap(([name, errno]) => when(name, [answer(fail(errno))])),
    ...when('clone', [load(place.argument(0)), anyBit(newNamespaces, 0, 1), answer(fail(EPERM)), answer(allow)]),
    ...when('unshare', [
      ...(mayMount ? [load(place.argument(0)), equals(newMounts, 0, 1), answer(allow)] : []),
      answer(fail(EPERM)),
    ]),
    ...when('ioctl', [
      load(place.argument(1)),
      ...terminalTricks.flatMap((request) => [equals(request, 0, 1), answer(fail(EPERM))]),
      answer(allow),
    ]),
    ...when('socket', socketCheck()),
    ...when('socketpair', socketCheck()),
  ];
  return assemble([
    load(place.architecture),
    equals(architectures[arch], 1, 0),
    answer(killProcess),
    load(place.number),
    ...(arch === 'x64' ? [atLeast(x32Bit, 0, 1), answer(fail(ENOSYS))] : []),
    atLeast(latest + 1, 0, 1),
    answer(fail(ENOSYS)),
    ...checks,
    answer(allow),
  ]);
}

function socketCheck(): Instruction[] {
  const allowed = [families.unix, families.inet, families.inet6].flatMap((family) => [
    equals(family, 0, 1),
    answer(allow),
  ]);
  const protocols = netlinkProtocols.flatMap((protocol) => [equals(protocol, 0, 1), answer(allow)]);
  return [
    load(place.argument(0)),
    ...allowed,
    equals(families.netlink, 1, 0),
    answer(fail(EAFNOSUPPORT)),
    load(place.argument(2)),
    ...protocols,
    answer(fail(EAFNOSUPPORT)),
  ];
}

const isKnown = (arch: string): arch is Architecture => Object.hasOwn(architectures, arch);
