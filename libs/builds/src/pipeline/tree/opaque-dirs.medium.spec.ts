import { chmod, lstat, mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { runProgram } from '#libs/platform';
import { settleOpaqueDirs } from './opaque-dirs.js';
import { makeOwnedDir, removeTree } from './owned-dir.js';
import { longestPathBytes, requireShortPaths } from './path-length.js';

const never = new AbortController().signal;
let root: string;
const at = (...names: string[]) => path.join(root, ...names);
const names = async (dir: string) => (await readdir(dir)).sort();
const isWhiteout = async (file: string) =>
  await lstat(file).then((found) => found.isCharacterDevice() && found.rdev === 0);
const opaque = (dir: string) =>
  runProgram('setfattr', ['-n', 'user.overlay.opaque', '-v', 'y', '--', dir], { deadlineMs: 10_000 });
const fill = async (dir: string, ...files: string[]) => {
  await mkdir(dir, { recursive: true });
  for (const file of files) await writeFile(path.join(dir, file), '');
};

beforeEach(async () => {
  // /tmp may be no file system for attributes.
  root = await mkdtemp('/var/tmp/of-opaque-');
  await chmod(root, 0o755);
  for (const layer of ['bottom', 'middle', 'upper']) await makeOwnedDir(at(layer));
});
afterEach(() => removeTree(root));

/** As the namespace sees them: everything is its root's. */
async function settle(): Promise<void> {
  const { uid, gid } = await lstat(at('upper'));
  for (const layer of ['bottom', 'middle', 'upper'])
    await runProgram('chown', ['-RPh', `${uid}:${gid}`, '--', at(layer)], { deadlineMs: 10_000 });
  await settleOpaqueDirs(at('upper'), [at('bottom'), at('middle')], never);
}

it('hides what the layers below have, by name, and leaves no attribute', async () => {
  await fill(at('bottom', 'd', 'sub'), 'deep');
  await fill(at('bottom', 'd'), 'one', 'both');
  await fill(at('middle', 'd'), 'two\n\xff');
  await fill(at('upper', 'd', 'sub'), 'new');
  await fill(at('upper', 'd'), 'both');
  await fill(at('upper', 'plain'), 'file');
  await opaque(at('upper', 'd'));
  await settle();
  expect(await names(at('upper', 'd'))).toEqual(['both', 'one', 'sub', 'two\n\xff']);
  expect(await names(at('upper', 'd', 'sub'))).toEqual(['deep', 'new']);
  for (const hidden of ['d/one', 'd/two\n\xff', 'd/sub/deep'])
    expect([hidden, await isWhiteout(at('upper', hidden))]).toEqual([hidden, true]);
  expect((await lstat(at('upper', 'd/both'))).isFile()).toBe(true);
  expect(
    (await runProgram('getfattr', ['-R', '-d', '--absolute-names', at('upper')], { deadlineMs: 10_000 })).stdout,
  ).toBe('');
});

it('goes through no link of a layer below: what those name on the host stays unknown', async () => {
  await fill(at('secrets', 'inner'), 'of-the-host');
  await fill(at('secrets'), 'of-the-host');
  await chmod(at('secrets'), 0o755);
  for (const [name, target] of Object.entries({ absolute: at('secrets'), relative: '../secrets', loop: 'loop' }))
    await symlink(target, at('bottom', name));
  await symlink(at('secrets'), at('middle', 'parent'));
  for (const name of ['absolute', 'relative', 'loop', 'parent/inner']) {
    await fill(at('upper', name), 'mine');
    await opaque(at('upper', name));
  }
  await opaque(at('upper', 'parent'));
  await settle();
  for (const name of ['absolute', 'relative', 'loop', 'parent/inner'])
    expect([name, await names(at('upper', name))]).toEqual([name, ['mine']]);
  expect(await names(at('upper', 'parent'))).toEqual(['inner']);
});

it('looks no deeper than a layer that has something else there, as overlayfs does', async () => {
  await fill(at('bottom', 'd'), 'long hidden');
  await writeFile(at('middle', 'd'), 'a file');
  await fill(at('upper', 'd'), 'mine');
  await opaque(at('upper', 'd'));
  await settle();
  expect(await names(at('upper', 'd'))).toEqual(['mine']);
});

it('refuses what lies deeper than programs can name, and nothing that they can', async () => {
  const dig = async (bytes: number) =>
    await mkdir(path.join(at('upper'), 'd'.repeat(99), `${'d'.repeat(99)}/`.repeat((bytes - 100) / 100).slice(0, -1)), {
      recursive: true,
    });
  await dig(longestPathBytes);
  await requireShortPaths(at('upper'), { signal: never });
  await dig(longestPathBytes + 200);
  await expect(requireShortPaths(at('upper'), { signal: never })).rejects.toMatchObject({
    reason: 'path_too_long',
    fault: 'caller',
  });
});
