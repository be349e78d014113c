import { mkdir, mkdtemp, readFile, realpath, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProgramError } from '#libs/platform';
import { runProgram } from '#libs/platform';
import type { PlannedStep } from './image-plan.js';
import { treeRunner, writePlan } from './tree-runner.js';

/** The runner by this machine's perl, on a directory instead of a tree. */
describe('the runner in the tree', () => {
  let dir: string;
  const me = userInfo().username;
  const inDir = (name: string) => path.join(dir, name);
  const file = (name: string, more: object = {}): PlannedStep => ({
    path: inDir(name),
    content: name,
    owner: me,
    group: String(userInfo().gid),
    from: '/files/0',
    ...more,
  });
  const run = async (...steps: PlannedStep[]) => {
    await writePlan(steps, inDir('plan'), inDir('plan'));
    return await runProgram('perl', ['-e', treeRunner, inDir('plan'), `^${inDir('run')}(/|$)`], { deadlineMs: 20_000 });
  };
  const said = async (...steps: PlannedStep[]) =>
    await run(...steps).then(
      () => 'nothing',
      (error: unknown) => (error as ProgramError).result?.stdout,
    );
  const modeOf = async (name: string) => ((await stat(inDir(name))).mode & 0o7777).toString(8);

  beforeEach(async () => {
    dir = await realpath(await mkdtemp(path.join(tmpdir(), 'of-tree-runner-')));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('writes files and directories with what is above them', async () => {
    await run(
      file('srv/a/b/c.txt', { mode: '0640' }),
      { directory: `${inDir('srv/data')}/`, mode: '0711', owner: me, group: String(userInfo().gid), from: '/files/1' },
      { argv: ['sh', '-c', 'cat > "$1"', 'sh', inDir('in')], input: 'words\n' },
    );
    expect(await readFile(inDir('srv/a/b/c.txt'), 'utf8')).toBe('srv/a/b/c.txt');
    expect([
      await modeOf('srv/a/b'),
      await modeOf('srv/a/b/c.txt'),
      await modeOf('srv/data'),
      await readFile(inDir('in'), 'utf8'),
    ]).toEqual(['755', '640', '711', 'words\n']);
  });

  it('stops at the first step that fails, and names it', async () => {
    expect(await said({ argv: ['true'] }, { argv: ['sh', '-c', 'echo why; exit 3'] }, file('never'))).toBe(
      'why\nsh ended with 3\nFAILED STEP 2\n',
    );
    expect(await said({ argv: ['no-such-program'] })).toMatch(
      /^cannot run no-such-program: .*\nno-such-program ended with 127\nFAILED STEP 1\n$/,
    );
    await expect(stat(inDir('never'))).rejects.toThrow();
  });

  it('writes nothing of the recipe through a link to where nothing stays', async () => {
    await mkdir(inDir('run'));
    await symlink('run', inDir('link'));
    await mkdir(inDir('srv'));
    await symlink('../run', inDir('srv/dir'));
    expect(await said(file('link/x'))).toBe(`LOST ${inDir('run/x')}\nFAILED STEP 1\n`);
    expect(await said({ directory: inDir('srv/dir'), owner: me, from: '/files/0' })).toBe(
      `LOST ${inDir('run')}\nFAILED STEP 1\n`,
    );
    expect(await said(file('run', { path: inDir('srv/file/x') }), file('srv/file'))).toMatch(
      /cannot overwrite directory .*\ninstall ended with 1\nFAILED STEP 2\n$/,
    );
    // What the factory itself writes there is the factory's business.
    expect(await said(file('link/y', { from: undefined }))).toBe('nothing');
  });

  it('replaces a link by the file that is asked for', async () => {
    await mkdir(inDir('run'));
    await symlink('run/target', inDir('resolv.conf'));
    await run(file('resolv.conf'));
    expect(await readFile(inDir('resolv.conf'), 'utf8')).toBe('resolv.conf');
    await expect(stat(inDir('run/target'))).rejects.toThrow();
  });
});
