import { chmod, lstat, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { itWhere } from '../../../../../test/support/it-where.js';
import { makeLayer, type LayerScratch, type ScratchBounds } from './layer-scratch.js';
import { makeOwnedDir, removeTree } from './owned-dir.js';
import { runInTree } from './tree-sandbox.js';

const asRoot = process.getuid?.() === 0;
const never = new AbortController().signal;
const bounds: ScratchBounds = { bytes: 64 * 2 ** 20, inodes: 2_000 };
let root: string;

beforeEach(async () => {
  root = await mkdtemp('/var/tmp/of-scratch-');
  await chmod(root, 0o755);
  const tree = path.join(root, 'tree');
  for (const name of ['usr', 'etc', 'tmp', 'run', 'mnt', 'dev', 'proc', 'opt', 'opt/replaced'])
    await makeOwnedDir(path.join(tree, name));
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, path.join(tree, name));
  await writeFile(path.join(tree, 'etc/gone'), '');
});
afterEach(() => removeTree(root));

const inside = async ({ upper, mounts, signal }: LayerScratch, script: string) =>
  (
    await runInTree('/bin/bash', ['-c', `exec 2>/dev/null\n${script}`], {
      lowers: [path.join(root, 'tree')],
      upper,
      shown: { '/usr': '/usr' },
      deadlineMs: 60_000,
      signal,
      ...(mounts && { mounts }),
    })
  ).stdout
    .trim()
    .split('\n');
const out = (...names: string[]) => path.join(root, 'out', ...names);
const hostMounts = async () =>
  (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(root));

describe('a layer', () => {
  it('is where it was wanted, as it was made, and nothing else is', async () => {
    await makeLayer(out(), bounds, never, async (scratch) => {
      await inside(
        scratch,
        `cd /opt; echo text > file; chown 7:8 file; chmod 4751 file; ln file hard; ln -s /nowhere link; mkfifo pipe; truncate -s 10M holes; setcap cap_net_raw+ep hard; touch -d @1000000000 file; rm -r replaced; mkdir replaced; rm /etc/gone`,
      );
      expect(await scratch.tooMuch()).toBeUndefined();
    });
    expect((await readdir(out())).filter((name) => !name.startsWith('layer.'))).toEqual(['layer']);
    expect(await hostMounts()).toEqual([]);
    const [file, hard, holes, pipe, gone, link] = await Promise.all(
      ['opt/file', 'opt/hard', 'opt/holes', 'opt/pipe', 'etc/gone', 'opt/link'].map((name) =>
        lstat(out('layer', name)),
      ),
    );
    const parent = await lstat(out('layer'));
    expect([file!.ino === hard!.ino, file!.nlink, file!.mode & 0o7777, file!.mtimeMs]).toEqual([true, 2, 0o4751, 1e12]);
    expect(file!.uid).not.toBe(parent.uid);
    expect([
      holes!.size,
      holes!.blocks,
      pipe!.isFIFO(),
      link!.isSymbolicLink(),
      gone!.isCharacterDevice(),
      gone!.rdev,
    ]).toEqual([10 * 2 ** 20, 0, true, true, true, 0]);
  });

  itWhere(asRoot, 'only root mounts a file system')(
    'has so many bytes and files, and the kernel counts them',
    async () => {
      await makeLayer(out(), bounds, never, async (scratch) => {
        const [bytes, files] = await inside(
          scratch,
          `for i in 1 2 3; do dd if=/dev/zero of=/opt/$i bs=1M count=1000; done; cat /opt/? | wc -c; rm /opt/?; perl -e 'for (1..100000) { open(my $file, ">", "/opt/f$_") or do { print $_ - 1, "\\n"; exit; } }'`,
        );
        expect(Number(bytes)).toBeGreaterThan(bounds.bytes * 0.8);
        expect(Number(bytes)).toBeLessThan(bounds.bytes);
        expect(Number(files)).toBeGreaterThan(bounds.inodes * 0.8);
        expect(Number(files)).toBeLessThan(bounds.inodes * 1.2);
        expect(await scratch.tooMuch()).toBe('2000 files');
      });
      await makeLayer(path.join(root, 'other'), bounds, never, async (scratch) => {
        await inside(scratch, 'dd if=/dev/zero of=/opt/fill bs=1M count=1000; true');
        expect(await scratch.tooMuch()).toBe('64 MiB');
      });
    },
  );

  itWhere(asRoot, 'only root mounts a file system')(
    'that fails leaves no mount, no process and no file system',
    async () => {
      let keeper = 0;
      const failing = makeLayer(out(), bounds, never, (scratch) => {
        keeper = scratch.mounts!;
        return Promise.reject(new Error('boom'));
      });
      await expect(failing).rejects.toThrow('boom');
      expect(await readdir(out())).toEqual([]);
      await expect(lstat(`/proc/${keeper}`)).rejects.toMatchObject({ code: 'ENOENT' });
      const devices = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
      const files = await Promise.all(
        devices.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
      );
      expect(files.filter((file) => file.includes(root))).toEqual([]);
    },
  );
});
