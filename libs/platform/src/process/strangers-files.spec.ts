import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { diskUsage, removeTree } from './strangers-files.js';

const kib = 1024;
let root: string;
let tree: string;

/** 1,000 directories in each other, whose path has 200,000 bytes, around a file of 100 KiB: no name of it fits into a call. */
const dig = () =>
  execFileSync('perl', [
    '-e',
    'chdir $ARGV[0] or die $!; for (1..1000) { mkdir "d" x 200 or die $!; chdir "d" x 200 or die $!; } open(my $file, ">", "deep") or die $!; print $file "x" x 102400; close $file or die $!;',
    tree,
  ]);

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'of-strangers-'));
  tree = path.join(root, 'tree');
  await mkdir(tree);
});
afterEach(() => removeTree(root));

describe('removeTree', () => {
  it('copes with any depth, any name, any mode, and follows no link', async () => {
    dig();
    await expect(rm(tree, { recursive: true })).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    await writeFile(path.join(root, 'kept'), 'not of the tree');
    await symlink(root, path.join(tree, 'up'));
    await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0x0a, 0xfe])]), '');
    await writeFile(path.join(tree, '-rf'), '');
    await mkdir(path.join(tree, 'locked', 'inner'), { recursive: true });
    execFileSync('chmod', ['0', path.join(tree, 'locked')]);
    await removeTree(tree);
    expect(await readdir(root)).toEqual(['kept']);
    expect(await readFile(path.join(root, 'kept'), 'utf8')).toBe('not of the tree');
  });

  it('minds nothing that is not there', async () => {
    await removeTree(path.join(root, 'none'));
  });

  it('says that it could not, and names the place only to the log', async () => {
    await expect(removeTree('/proc/version')).rejects.toMatchObject({
      reason: 'tree_not_removed',
      message: 'A directory could not be removed.',
      cause: { message: expect.stringMatching(/^\/proc\/version: rm: cannot remove/) },
    });
  });
});

describe('diskUsage', () => {
  it('counts what no name reaches, in the order asked for, and nothing behind a link', async () => {
    dig();
    await symlink('/usr', path.join(tree, 'link'));
    await mkdir(path.join(root, 'other'));
    await writeFile(path.join(root, 'other', Buffer.from([0x66, 0x0a]).toString()), Buffer.alloc(50 * kib, 1));
    const [none, other, deep] = await diskUsage([path.join(root, 'none'), path.join(root, 'other'), tree]);
    expect([none, other]).toEqual([0, 56 * kib]);
    expect(deep).toBeGreaterThan(1_000 * 4 * kib + 100 * kib - 1);
    expect(deep).toBeLessThan(8_000 * kib);
  });
});
