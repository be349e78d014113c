import { chmod, mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeOwnedDir, removeTree } from './owned-dir.js';
import { runInToolRoot } from './tool-root.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp('/var/tmp/of-tool-root-');
  await chmod(root, 0o755);
  await makeOwnedDir(path.join(root, 'out'));
});
afterAll(() => removeTree(root));

async function inside(script: string): Promise<string[]> {
  const { stdout } = await runInToolRoot('bash', ['-c', `exec 2>/dev/null\n${script}`], {
    shown: {},
    written: { '/out': path.join(root, 'out') },
    environment: {},
    deadlineMs: 60_000,
  });
  return stdout.trim().split('\n');
}

describe('a tool that makes a chroot', () => {
  it('has the capabilities of dpkg and of a chroot with mounts, no others, and a filter of system calls', async () => {
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE, SETFCAP; SYS_CHROOT, SYS_ADMIN.
    const mask = [0, 1, 3, 4, 5, 6, 7, 10, 31, 18, 21]
      .reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n)
      .toString(16)
      .padStart(16, '0');
    expect(await inside(`grep -hE '^(CapEff|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status`)).toEqual([
      `CapPrm:\t${mask}`,
      `CapEff:\t${mask}`,
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
    ]);
  });

  it('can do what mmdebstrap asks for before it mounts, and mount and enter a chroot', async () => {
    const chroot =
      'mkdir -p /out/tree/{usr,dev,proc} && ln -sfn usr/bin /out/tree/bin && ln -sfn usr/lib /out/tree/lib && ln -sfn usr/lib64 /out/tree/lib64 && mount -o bind /usr /out/tree/usr && touch /out/tree/dev/null && mount -o bind /dev/null /out/tree/dev/null && mount -t proc proc /out/tree/proc';
    expect(
      await inside(
        `unshare --mount --propagation unchanged -- true && echo mounts; ${chroot} && chroot /out/tree /bin/sh -c 'echo gone > /dev/null && ls /proc/self/comm'`,
      ),
    ).toEqual(['mounts', '/proc/self/comm']);
  });

  it('makes no other namespaces, sees nothing of the host but its programs, and touches nothing of the kernel', async () => {
    const tries = [
      'unshare --user true',
      'unshare --net true',
      'unshare --pid --fork true',
      'ls /home',
      'ls /root',
      'cat /etc/shadow',
      'touch /usr/here',
      'keyctl show',
      'hostname x',
      'mknod /out/disk b 254 0',
      'strace -V && strace true',
      'date -s @0',
      `perl -e 'exit(syscall(321, 0, 0, 0) < 0)'`,
    ];
    expect(
      await inside(
        `${tries.map((one) => `(${one}) > /dev/null && echo '${one.replaceAll("'", '')}'`).join('\n')}\necho end`,
      ),
    ).toEqual(['end']);
  });
});
