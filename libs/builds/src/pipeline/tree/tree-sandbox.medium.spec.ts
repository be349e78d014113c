import { chmod, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeOwnedDir, removeTree } from './owned-dir.js';
import { keptCapabilities } from './restraints.js';
import { memoryBounds, runInTree } from './tree-sandbox.js';

const mebibyte = 2 ** 20;
let root: string;

/** A tree of directories and links over the host's programs: what is asked is the sandbox, not a distribution. */
beforeEach(async () => {
  root = await mkdtemp('/var/tmp/of-sandbox-');
  await chmod(root, 0o755);
  const tree = path.join(root, 'tree');
  for (const name of ['usr', 'etc', 'tmp', 'run', 'mnt', 'dev', 'proc', 'opt'])
    await makeOwnedDir(path.join(tree, name));
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, path.join(tree, name));
  await writeFile(path.join(tree, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  for (const suffix of ['', '.work', '.merged']) await makeOwnedDir(path.join(root, `layer${suffix}`));
});
afterEach(() => removeTree(root));

async function inside(script: string, limits: { processes?: number } = {}): Promise<string[]> {
  const { stdout } = await runInTree('/bin/bash', ['-c', `exec 2>/dev/null\n${script}`], {
    lowers: [path.join(root, 'tree')],
    upper: path.join(root, 'layer'),
    shown: { '/usr': '/usr' },
    deadlineMs: 60_000,
    ...limits,
  });
  return stdout.trim().split('\n');
}

describe('a program in a tree', () => {
  it('has the capabilities that dpkg needs and no others, and a filter of system calls', async () => {
    const bits: Record<string, number> = {
      CHOWN: 0,
      DAC_OVERRIDE: 1,
      FOWNER: 3,
      FSETID: 4,
      KILL: 5,
      SETGID: 6,
      SETUID: 7,
      NET_BIND_SERVICE: 10,
      SETFCAP: 31,
    };
    const expected = keptCapabilities
      .reduce((mask, name) => mask | (1n << BigInt(bits[name]!)), 0n)
      .toString(16)
      .padStart(16, '0');
    expect(await inside(`grep -hE '^(CapEff|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status`)).toEqual([
      `CapPrm:\t${expected}`,
      `CapEff:\t${expected}`,
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
    ]);
    // With all that it may do still done.
    expect(
      await inside(
        `cd /opt; touch a; chown 7:8 a; chmod 6755 a; stat -c '%u %g %a' a; perl -e '$) = "9 9"; $> = 9; print "$>\\n"'`,
      ),
    ).toEqual(['7 8 6755', '9']);
    expect(
      await inside(
        `perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => 80, Listen => 1) ? "listens\\n" : "$!\\n"'`,
      ),
    ).toEqual(['listens']);
  });

  it('makes no namespaces, mounts nothing, and takes none of that back', async () => {
    const tries = [
      'unshare --user true',
      'unshare --mount true',
      'unshare --net true',
      'mount -t tmpfs none /opt',
      'umount /tmp',
      'chroot / true',
      'mknod /opt/disk b 254 0',
      'hostname x',
      'echo 9 > /proc/sys/user/max_user_namespaces',
      'echo 9 > /proc/sys/kernel/shmall',
      `setpriv --inh-caps=+sys_admin true`,
      'mount -o remount,rw /dev',
      'touch /dev/here',
      'touch /usr/here',
    ];
    expect(
      await inside(
        tries.map((one) => `(${one}) && echo '${one.replaceAll("'", '')}'`).join('\n') +
          '\ncat /proc/sys/user/max_user_namespaces',
      ),
    ).toEqual(['0']);
  });

  it('has memory for files once, however many places there are for it', async () => {
    const places = ['/tmp', '/run', '/dev/shm'];
    const [bytes, ...files] = await inside(`
      total=0; for place in ${places.join(' ')}; do dd if=/dev/zero of=$place/fill bs=1M count=4096; total=$((total + $(stat -c %s $place/fill))); done; echo $total; rm -f ${places.map((place) => `${place}/fill`).join(' ')}
      for place in ${places.join(' ')}; do perl -e 'for (1..100000) { open(my $file, ">", "$ARGV[0]/$_") or do { print $_ - 1, "\\n"; exit; } }' $place; done`);
    expect(Number(bytes)).toBeGreaterThan(memoryBounds.bytes - mebibyte);
    expect(Number(bytes)).toBeLessThanOrEqual(memoryBounds.bytes);
    const inodes = files.reduce((sum, count) => sum + Number(count), 0);
    expect(inodes).toBeGreaterThan(memoryBounds.inodes - 100);
    expect(inodes).toBeLessThanOrEqual(memoryBounds.inodes);
    // Files of memory without a name are there for nobody; System V segments are few.
    expect(
      await inside(
        `perl -e 'my $name = "x"; print syscall(319, $name, 0) < 0 ? "none\\n" : "a file\\n"'; cat /proc/sys/kernel/shmall`,
      ),
    ).toEqual(['none', '65536']);
  });

  it('has so many processes, for all ids that it takes together', async () => {
    const fork = (ids: number) =>
      `perl -e 'my $made = 0; for my $id (1..${ids}) { pipe(my $out, my $in); my $pid = fork; last unless defined $pid; if (!$pid) { $( = $) = "$id $id"; $< = $> = $id; my $count = 0; for (1..200) { my $child = fork; last unless defined $child; if (!$child) { sleep 60; exit } $count++ } syswrite($in, "$count\\n"); sleep 60; exit } $made += <$out>; } print "$made\\n"'`;
    const [one] = await inside(fork(1), { processes: 60 });
    expect(Number(one)).toBeGreaterThan(30);
    expect(Number(one)).toBeLessThanOrEqual(60);
    const [many] = await inside(fork(30), { processes: 60 });
    expect(Number(many)).toBeGreaterThan(60);
    expect(Number(many)).toBeLessThanOrEqual(60 + 512);
  });

  it('stands behind guests and the API for processors and disks, in its session too', async () => {
    const asked = await inside(
      `cut -d' ' -f19 /proc/self/stat; ionice -p $$; sed 's/.*nice //' /proc/self/autogroup || echo 5`,
    );
    // Beside what this process has itself: a run may be niced as a whole.
    expect(asked).toEqual([String(Math.min(19, os.getPriority() + 5)), 'best-effort: prio 7', '5']);
  });

  it('is the first to go when memory runs out, and has no more than its own of it', async () => {
    expect(
      await inside(
        `cat /proc/self/oom_score_adj; perl -e 'my $all = ""; $all = "x" x (5 * 2 ** 30); print "5 GiB\\n"'; echo on`,
      ),
    ).toEqual(['1000', 'on']);
  });
});
