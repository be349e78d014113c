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
  const own = async (when: string) =>
    await runProgram('/bin/sh', [at('own'), when], {
      deadlineMs: 20_000,
      okCodes: [0, 1],
      env: { PATH: `${at('bin')}:/usr/bin:/bin` },
    });

  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'openfactory-own-'));
    for (const dir of ['bin', 'etc', 'var/lib', 'run', 'usr/lib/openfactory/machine.d', 'usr/local/lib/openfactory'])
      await mkdir(at(dir), { recursive: true });
    const program = (await readFile(path.join(machineDir, 'own'), 'utf8')).replaceAll(
      /(?<![\w/])\/(etc|var\/lib|run|usr\/lib|usr\/local\/lib)\//g,
      `${root}/$1/`,
    );
    await writeFile(at('own'), program);
    const systemctl = `case "$1" in list-units) printf '%s loaded active running\\n' shop.service stall@1.service other.service ;; *) echo "$@" >> ${at('asked')} ;; esac`;
    await writeFile(at('bin/systemctl'), `#!/bin/sh\n${systemctl}\n`, { mode: 0o755 });
    await work(
      'secret',
      `echo made >> ${at('made')}; printf '%s\\n' absent.service 'stall@*.service' shop.service shop.service >> "$restart"`,
    );
    await become('one');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('is made once at its first boot, and asks no service, for none runs yet', async () => {
    for (let boots = 0; boots < 2; boots++) expect(await own('boot')).toMatchObject({ code: 0, stderr: '' });
    expect(await textOf('made')).toBe('made\n');
    expect(await textOf('asked')).toBeUndefined();
    expect(await textOf('run/openfactory/has-work')).toBe('');
  });

  it.each([
    ['alone', 'restart of-startup-*.service'],
    ['plugged', '--no-block restart of-startup-*.service'],
  ])('is made again in a clone (%s), whose services and scripts start anew', async (when, startup) => {
    await own('boot');
    await writeFile(at('var/lib/openfactory/startup-0.done'), '');
    await become('two');
    expect(await own(when)).toMatchObject({ code: 0 });
    expect(await textOf('made')).toBe('made\nmade\n');
    expect(await textOf('asked')).toBe(`restart shop.service stall@1.service\n${startup}\n`);
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
  let root: string;
  const at = (...names: string[]) => path.join(root, ...names);
  const textOf = (...names: string[]) => readFile(at(...names), 'utf8').catch(() => undefined);
  const put = async (file: string, content = '', mode = 0o644) => {
    await mkdir(path.dirname(at(file)), { recursive: true });
    await writeFile(at(file), content, { mode });
  };
  const run = async () => {
    const program = (await readFile(path.join(machineDir, 'packages'), 'utf8')).replaceAll(
      /(?<![\w/])\/(etc|var\/lib|run|usr|sbin)\//g,
      `${root}/$1/`,
    );
    await rm(at('restart'), { force: true });
    await runProgram('/bin/sh', ['-c', program], {
      deadlineMs: 20_000,
      env: { restart: at('restart'), PATH: `${at('bin')}:/usr/bin:/bin` },
    });
    return ((await textOf('restart')) ?? '').split('\n').filter(Boolean);
  };

  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'openfactory-packages-'));
    for (const dir of ['etc', 'var/lib/openfactory', 'run/openfactory']) await mkdir(at(dir), { recursive: true });
    await put('bin/chown', '#!/bin/sh\n', 0o755);
    await put('bin/systemctl', `#!/bin/sh\necho "$@" >> ${at('asked')}\n`, 0o755);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('leave a secret that the image brought as it is, and make anew what they made', async () => {
    await mkdir(at('etc/nvme'));
    const hostId = () => textOf('etc/nvme/hostid');
    await run();
    const first = await hostId();
    expect(first).toMatch(/^[0-9a-f-]{36}\n$/);
    await run();
    expect(await hostId()).not.toBe(first);
    await rm(at('var/lib/openfactory/made'));
    const brought = await hostId();
    await run();
    expect(await hostId()).toBe(brought);
  });

  it('forget what a service made, and not what the image brought', async () => {
    for (const unit of ['smbd', 'docker']) await put(`usr/lib/systemd/system/${unit}.service`);
    await put('etc/docker/key.json', 'brought');
    expect(await run()).toEqual(expect.arrayContaining(['smbd.service', 'docker.service']));
    await put('var/lib/samba/private/secrets.tdb', 'a SID');
    await put('var/lib/docker/engine-id', 'an id');
    await run();
    expect([
      await textOf('var/lib/samba/private/secrets.tdb'),
      await textOf('var/lib/docker/engine-id'),
      await textOf('etc/docker/key.json'),
    ]).toEqual([undefined, undefined, 'brought']);
    await put('var/lib/samba/private/secrets.tdb', 'of a domain controller');
    await put('var/lib/samba/private/sam.ldb');
    expect(await run()).not.toContain('smbd.service');
    expect(await textOf('var/lib/samba/private/secrets.tdb')).toBe('of a domain controller');
  });

  it('have snmpd stop before its engine’s id goes, where it runs', async () => {
    await put('usr/lib/systemd/system/snmpd.service');
    await run();
    await put('var/lib/snmp/snmpd.conf', 'oldEngineID 0x80');
    await put(
      'bin/systemctl',
      `#!/bin/sh\n[ "$1" != stop ] || cp ${at('var/lib/snmp/snmpd.conf')} ${at('at-stop')}\n`,
      0o755,
    );
    expect(await run()).toContain('snmpd.service');
    expect([await textOf('at-stop'), await textOf('var/lib/snmp/snmpd.conf')]).toEqual(['oldEngineID 0x80', undefined]);
  });

  it('give popularity-contest an id where the image has none, and leave a certificate of CUPS that the image brought', async () => {
    await put('etc/popularity-contest.conf', 'MY_HOSTID=""\nPARTICIPATE="no"\n');
    await put('etc/cups/ssl/printer.key', 'brought');
    await run();
    const first = await textOf('etc/popularity-contest.conf');
    expect(first).toMatch(/^MY_HOSTID="[0-9a-f]{32}"\nPARTICIPATE="no"\n$/);
    await run();
    expect(await textOf('etc/popularity-contest.conf')).not.toBe(first);
    expect(await textOf('etc/cups/ssl/printer.key')).toBe('brought');
    await rm(at('etc/cups/ssl/printer.key'));
    await run();
    await put('etc/cups/ssl/printer.key', 'made');
    expect(await run()).toContain('cups.service');
    expect(await textOf('etc/cups/ssl/printer.key')).toBeUndefined();
  });

  it('make keys for unbound-control where they are asked for, each certified by the server’s', async () => {
    await put('bin/chgrp', '#!/bin/sh\n', 0o755);
    await put(
      'etc/unbound/unbound.conf.d/remote-control.conf',
      'remote-control:\n  control-enable: yes\n  control-interface: /run/unbound.ctl\n',
    );
    expect(await run()).toEqual([]);
    await put('etc/unbound/unbound.conf.d/remote-control.conf', 'remote-control:\n  control-enable: yes\n');
    expect(await run()).toEqual(['unbound.service']);
    await runProgram(
      'openssl',
      ['verify', '-CAfile', at('etc/unbound/unbound_server.pem'), at('etc/unbound/unbound_control.pem')],
      { deadlineMs: 20_000 },
    );
  });

  it('are read by every shell', async () => {
    for (const name of ['own', 'packages'])
      expect(await runProgram('/bin/sh', ['-n', path.join(machineDir, name)], { deadlineMs: 20_000 })).toMatchObject({
        stderr: '',
      });
  });

  it('stand in every image, with the work that its recipe adds', () => {
    const plan = new ImagePlan();
    renderMachine(plan);
    machineWork(plan, 'shop', { commands: ['make-key'], users: ['shop.service'] });
    const files = new Map(
      plan.steps.flatMap((step) => ('path' in step ? [[step.path, String(step.content)] as const] : [])),
    );
    expect([...files.keys()]).toEqual([
      '/usr/lib/openfactory/own',
      '/usr/lib/openfactory/machine.d/packages',
      '/etc/systemd/system/of-machine.service',
      '/etc/systemd/system/of-machine-again@.service',
      '/usr/lib/openfactory/machine.d/shop',
    ]);
    expect(files.get('/usr/lib/openfactory/machine.d/shop')).toContain('make-key\necho shop.service >> "$restart"\n');
  });
});
