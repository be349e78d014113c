import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { productRoot, runProgram } from '#libs/platform';
import { ImagePlan } from './image-plan.js';
import { machineWork, renderMachine } from './machine.renderer.js';

const machineDir = path.join(productRoot, 'libs/builds/machine');

/** The program of an image, with a directory of its own for a machine. */
describe('what a machine makes of its own', () => {
  let root: string;
  const at = (...names: string[]) => path.join(root, ...names);
  const textOf = (...names: string[]) => readFile(at(...names), 'utf8').catch(() => undefined);
  const work = async (name: string, line: string) => {
    await writeFile(at('usr/lib/openfactory/machine.d', name), `#!/bin/sh\n${line}\n`);
    await chmod(at('usr/lib/openfactory/machine.d', name), 0o755);
  };
  const become = (id: string) => writeFile(at('etc/machine-id'), `${id}\n`);
  const own = async (when: string) => await runProgram('/bin/sh', [at('own'), when], { deadlineMs: 20_000, okCodes: [0, 1], env: { PATH: `${at('bin')}:/usr/bin:/bin` } });

  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'openfactory-own-'));
    for (const dir of ['bin', 'etc', 'var/lib', 'run', 'usr/lib/openfactory/machine.d', 'usr/local/lib/openfactory']) await mkdir(at(dir), { recursive: true });
    const program = (await readFile(path.join(machineDir, 'own'), 'utf8')).replaceAll(/(?<![\w/])\/(etc|var\/lib|run|usr\/lib|usr\/local\/lib)\//g, `${root}/$1/`);
    await writeFile(at('own'), program);
    // As the real one: what is not installed is listed by nobody, and cannot be restarted.
    const systemctl = `case "$1 $*" in list-units*shop.service*) echo "shop.service loaded active running Shop" ;; list-units*) ;; *absent*) exit 5 ;; *) echo "$@" >> ${at('asked')} ;; esac`;
    await writeFile(at('bin/systemctl'), `#!/bin/sh\n${systemctl}\n`, { mode: 0o755 });
    await work('secret', `echo made >> ${at('made')}; printf '%s\\n' absent.service shop.service >> "$restart"`);
    await become('one');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('is made once at its first boot, and asks no service, for none runs yet', async () => {
    for (let boots = 0; boots < 2; boots++) expect(await own('boot')).toMatchObject({ code: 0, stderr: '' });
    expect(await textOf('made')).toBe('made\n');
    expect(await textOf('asked')).toBeUndefined();
    expect(await textOf('run/openfactory/has-work')).toBe('');
  });

  it.each([['alone', 'restart of-startup-*.service'], ['plugged', '--no-block restart of-startup-*.service']])('is made again in a clone (%s), whose services and scripts start anew', async (when, startup) => {
    await own('boot');
    await writeFile(at('var/lib/openfactory/startup-0.done'), '');
    await become('two');
    expect(await own(when)).toMatchObject({ code: 0 });
    expect(await textOf('made')).toBe('made\nmade\n');
    expect(await textOf('asked')).toBe(`restart shop.service\n${startup}\n`);
    expect(await textOf('var/lib/openfactory/machine')).toBe('two\n');
    expect(await textOf('run/openfactory/started')).toBe('two\n');
    expect(await textOf('var/lib/openfactory/startup-0.done')).toBeUndefined();
  });

  it('that was not made is not taken for made, and says which', async () => {
    await work('broken', 'exit 3');
    expect(await own('boot')).toMatchObject({ code: 1, stderr: 'not made: broken\n' });
    expect(await textOf('var/lib/openfactory/machine')).toBeUndefined();
    await rm(at('usr/lib/openfactory/machine.d/broken'));
    expect(await own('boot')).toMatchObject({ code: 0 });
    expect(await textOf('made')).toBe('made\nmade\n');
  });

  it('needs no work of a clone of an image that has none', async () => {
    await rm(at('usr/lib/openfactory/machine.d/secret'));
    await own('boot');
    expect(await textOf('run/openfactory/has-work')).toBeUndefined();
  });
});

describe('its programs', () => {
  it('leave a secret that the image brought as it is, and make anew what they made', async () => {
    const root = await mkdtemp(path.join(os.tmpdir(), 'openfactory-packages-'));
    try {
      for (const dir of ['etc/nvme', 'etc/bind', 'var/lib/openfactory', 'run/openfactory', 'bin']) await mkdir(path.join(root, dir), { recursive: true });
      await writeFile(path.join(root, 'bin/chown'), '#!/bin/sh\n', { mode: 0o755 });
      const program = (await readFile(path.join(machineDir, 'packages'), 'utf8')).replaceAll(/(?<![\w/])\/(etc|var\/lib|run|usr|sbin)\//g, `${root}/$1/`);
      const run = async () => await runProgram('/bin/sh', ['-c', program], { deadlineMs: 20_000, env: { restart: path.join(root, 'restart'), PATH: `${root}/bin:/usr/bin:/bin` } });
      const hostId = () => readFile(path.join(root, 'etc/nvme/hostid'), 'utf8');
      await run();
      const first = await hostId();
      await run();
      expect(await hostId()).not.toBe(first);
      await rm(path.join(root, 'var/lib/openfactory/made'));
      const brought = await hostId();
      await run();
      expect(await hostId()).toBe(brought);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it('are read by every shell', async () => {
    for (const name of ['own', 'packages']) expect(await runProgram('/bin/sh', ['-n', path.join(machineDir, name)], { deadlineMs: 20_000 })).toMatchObject({ stderr: '' });
  });

  it('stand in every image, with the work that its recipe adds', () => {
    const plan = new ImagePlan();
    renderMachine(plan);
    machineWork(plan, 'shop', { commands: ['make-key'], users: ['shop.service'] });
    const files = new Map(plan.steps.flatMap((step) => ('path' in step ? [[step.path, String(step.content)] as const] : [])));
    expect([...files.keys()]).toEqual(['/usr/lib/openfactory/own', '/usr/lib/openfactory/machine.d/packages', '/etc/systemd/system/of-machine.service', '/etc/systemd/system/of-machine-again@.service', '/usr/lib/openfactory/machine.d/shop']);
    expect(files.get('/usr/lib/openfactory/machine.d/shop')).toContain('make-key\necho shop.service >> "$restart"\n');
  });
});
