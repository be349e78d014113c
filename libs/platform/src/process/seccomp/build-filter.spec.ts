import { describe, expect, it } from '@jest/globals';
import { buildFilter } from './build-filter.js';
import { assemble, equals, answer } from './filter-program.js';
import { syscallNumbers } from './syscall-numbers.js';

const allowed = 'allowed';
const audit = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
type Arch = keyof typeof audit;

/** What the kernel would do: the filter, run by the letter of bpf(4). */
function ask(
  arch: Arch,
  name: string | number,
  args: number[] = [],
  callArch: number = audit[arch],
  program = buildFilter(arch),
): string {
  const number = typeof name === 'number' ? name : (syscallNumbers[arch] as Record<string, number>)[name]!;
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(callArch, 4);
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt(value), 16 + 8 * index));
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const [code, yes, no, value] = [
      program.readUInt16LE(8 * at),
      program.readUInt8(8 * at + 2),
      program.readUInt8(8 * at + 3),
      program.readUInt32LE(8 * at + 4),
    ];
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x06)
      return value === 0x7fff0000 ? allowed : value === 0x80000000 ? 'killed' : `errno ${value & 0xffff}`;
    else
      at += (code === 0x15 ? accumulator === value : code === 0x35 ? accumulator >= value : (accumulator & value) !== 0)
        ? yes
        : no;
  }
}
const [eperm, enosys, eafnosupport, eopnotsupp] = ['errno 1', 'errno 38', 'errno 97', 'errno 95'];

describe.each(['x64', 'arm64'] as const)('the filter for %s', (arch) => {
  it('lets through what installing needs', () => {
    for (const name of [
      'read',
      'write',
      'openat',
      'execve',
      'fchownat',
      'fchmodat',
      'mkdirat',
      'renameat2',
      'unlinkat',
      'setresuid',
      'setgroups',
      'chroot',
      'mknodat',
      'setxattr',
      'shmget',
      'futex',
      'prctl',
      'seccomp',
      'kill',
      'wait4',
      'flock',
      'statx',
      'getrandom',
      'ftruncate',
    ])
      expect([name, ask(arch, name)]).toEqual([name, allowed]);
  });

  it('refuses what leads out, or deeper into the kernel', () => {
    for (const name of [
      'mount',
      'umount2',
      'pivot_root',
      'open_tree',
      'fsopen',
      'unshare',
      'setns',
      'bpf',
      'perf_event_open',
      'userfaultfd',
      'io_uring_setup',
      'keyctl',
      'ptrace',
      'init_module',
      'kexec_load',
      'reboot',
      'open_by_handle_at',
      'clock_settime',
      'sethostname',
    ])
      expect([name, ask(arch, name)]).toEqual([name, eperm]);
  });

  it('lets those mount that make a chroot, in mounts of their own, and nothing else that it refuses', () => {
    const mayMount = (name: string, args: number[] = []) =>
      ask(arch, name, args, audit[arch], buildFilter(arch, { mayMount: true }));
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
    ];
    const changed = Object.keys(syscallNumbers[arch]).filter((name) => ask(arch, name) !== mayMount(name));
    expect(changed.sort()).toEqual(mounting.sort());
    expect([mayMount('unshare', [0x20000]), ask(arch, 'unshare', [0x20000])]).toEqual([allowed, eperm]);
    for (const flag of [0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
      expect([flag, mayMount('unshare', [flag | 0x20000]), mayMount('clone', [flag | 17])]).toEqual([
        flag,
        eperm,
        eperm,
      ]);
    expect([mayMount('clone', [0x20000 | 17]), mayMount('unshare', [0x80])]).toEqual([eperm, eperm]);
  });

  it('lets processes be made, and no namespaces with them', () => {
    const thread = 0x3d0f00;
    expect([ask(arch, 'clone', [17]), ask(arch, 'clone', [thread])]).toEqual([allowed, allowed]);
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
      expect([flag, ask(arch, 'clone', [flag | 17])]).toEqual([flag, eperm]);
    expect(ask(arch, 'clone3')).toBe(enosys);
  });

  it('lets programs talk to each other and over IP, not to the packet filter', () => {
    for (const call of ['socket', 'socketpair']) {
      expect([1, 2, 10].map((family) => ask(arch, call, [family, 1, 0]))).toEqual([allowed, allowed, allowed]);
      expect([0, 4, 15, 9, 12, 6].map((protocol) => ask(arch, call, [16, 3, protocol]))).toEqual([
        allowed,
        allowed,
        allowed,
        eafnosupport,
        eafnosupport,
        eafnosupport,
      ]);
      expect([17, 38, 40, 15].map((family) => ask(arch, call, [family, 1, 0]))).toEqual(Array(4).fill(eafnosupport));
    }
  });

  it('types into no terminal, takes no space at a stroke, and knows nothing newer than its table', () => {
    expect([ask(arch, 'ioctl', [0, 0x5401]), ask(arch, 'ioctl', [0, 0x5412]), ask(arch, 'ioctl', [0, 0x541c])]).toEqual(
      [allowed, eperm, eperm],
    );
    expect([ask(arch, 'memfd_create'), ask(arch, 'fallocate')]).toEqual([enosys, eopnotsupp]);
    expect(ask(arch, 9_999)).toBe(enosys);
  });

  it('ends what calls by another architecture’s numbers', () => {
    expect(ask(arch, 'read', [], arch === 'x64' ? 0x40000003 : 0x40000028)).toBe('killed');
  });
});

describe('the filter', () => {
  it('does not take the numbers of x32, where the same calls have other ones', () => {
    expect(ask('x64', 0x40000000 + 165)).toBe(enosys);
  });

  it('is small, and exists for machines that we know only', () => {
    expect(buildFilter('x64').length).toBeLessThan(8 * 300);
    expect(() => buildFilter('riscv64')).toThrow('no filter');
    expect(() => assemble([equals(1, 1, 0), answer(0)])).toThrow('leads out');
  });
});
