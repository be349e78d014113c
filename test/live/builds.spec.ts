import { createHash, randomBytes } from 'node:crypto';
import { chown, lstat, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { usualGuestSize, type Guest } from '#libs/hypervisor';
import { buildAccount } from '#libs/platform';
import { BuildFailure } from '#libs/builds';
import { controlsOf } from '../../libs/builds/src/pipeline/configure/security.renderer.js';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { installHostile, type HostileRun } from './hostile-package.js';
import { BaseParts } from '../support/images/base-parts.js';
import { FactoryProcess, leftOvers, makeDataDir, untilNothingIsLeft } from '../support/factory-process.js';

/** Boots under emulation on a loaded machine take minutes; the whole file shares one factory and one base. */
const minutes = 60_000;
const password = 'correct horse battery';
let data: Awaited<ReturnType<typeof makeDataDir>>;
let factory: FactoryProcess;
let client: Client;

beforeAll(async () => {
  data = await makeDataDir();
  factory = FactoryProcess.start(data.dir);
  const url = await factory.ready();
  client = new Client({ name: 'live-builds', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${url}/api/mcp/sse`)));
}, 2 * minutes);
afterAll(async () => {
  await client.close();
  await factory.kill('SIGTERM');
  expect(await untilNothingIsLeft(data.dir)).toEqual([]);
  await data.remove();
}, 2 * minutes);

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory
const call = async (name: string, args: object = {}): Promise<Json> => {
  const { structuredContent, isError, content } = await client.callTool({
    name,
    arguments: args as Record<string, unknown>,
  });
  if (isError) throw new Error(`${name}: ${JSON.stringify(content)}`);
  return structuredContent as Json;
};
const ended = async (buildId: string): Promise<Json> => {
  for (;;) {
    const state = await call('get_build_status', { build_id: buildId });
    if (['completed', 'failed', 'cancelled'].includes(state.status)) return state;
    await sleep(1_000);
  }
};
const completed = async (buildId: string): Promise<Json> => {
  const state = await ended(buildId);
  if (state.status !== 'completed') throw new Error(`The build failed: ${JSON.stringify(state.error, null, 2)}`);
  return state;
};
/** Downloads the image by the URL that an agent is given, and checks it against the sum that it is told. */
const download = async (buildId: string, file: string): Promise<string> => {
  const { url, sha256, size_bytes } = await call('get_iso_download_url', { build_id: buildId });
  const response = await fetch(url);
  expect(response.headers.get('content-length')).toBe(String(size_bytes));
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  await writeFile(file, bytes);
  return file;
};
type Run = (...argv: string[]) => Promise<string>;
type Ask = (run: Run, guest: Guest) => Promise<void>;
/** Boots an image by its own GRUB and UEFI firmware, and hands the running system over to be asked. */
const booted = async (isoPath: string, ask: Ask) => {
  const account = await buildAccount();
  await examined(
    async (workDir, patience) => {
      if (account) await chown(workDir, account.uid, account.gid);
      return await new QemuHypervisor().start(
        { isoPath, firmware: 'uefi', ...usualGuestSize, network: 'none', workDir },
        patience,
      );
    },
    async (run, guest) => {
      await ask(run, guest);
      expect(guest.serialText()).toContain(' login:');
    },
  );
};
/** The same with a clone of the boot by which the image was tested, which was kept after `since`. */
const cloned = async (isoPath: string, since: number, ask: Ask) => {
  const store = path.join(data.dir, 'vms/snapshots');
  const kept = await Promise.all(
    (await readdir(store)).map(async (key) => ({
      dir: path.join(store, key),
      at: (await stat(path.join(store, key))).mtimeMs,
    })),
  );
  const [newest] = kept.sort((a, b) => b.at - a.at);
  expect(newest!.at).toBeGreaterThan(since);
  await examined(
    (workDir, patience) =>
      new QemuHypervisor().startFromSnapshot(
        newest!.dir,
        {
          isoPath,
          firmware: 'bios',
          ...usualGuestSize,
          network: 'none',
          workDir,
          diskPath: path.join(workDir, 'disk.qcow2'),
          uidIndex: 2_000,
        },
        patience,
      ),
    ask,
  );
};
const examined = async (start: (workDir: string, patience: AbortSignal) => Promise<Guest>, ask: Ask) => {
  const workDir = path.join(data.dir, 'examined');
  await mkdir(workDir, { mode: 0o711 });
  const patience = AbortSignal.timeout(12 * minutes);
  const guest = await start(workDir, patience);
  try {
    await guest.waitForAgent(patience);
    const run: Run = async (...argv) => {
      const { code, stdout, stderr } = await guest.execute('/usr/bin/env', argv, { deadlineMs: 2 * minutes });
      if (code !== 0) throw new Error(`${argv.join(' ')} failed (${code}): ${stderr}${stdout}`);
      return stdout.trim();
    };
    expect(
      await guest.execute('/usr/bin/env', ['systemctl', 'is-system-running', '--wait'], { deadlineMs: 5 * minutes }),
    ).toMatchObject({ stdout: 'running\n' });
    expect(await run('systemctl', '--failed', '--no-legend', '--plain')).toBe('');
    await ask(run, guest);
  } finally {
    await guest.quit();
    await rm(workDir, { recursive: true });
  }
};

const until = async (isSo: () => Promise<boolean>) => {
  const endsAt = Date.now() + 5 * minutes;
  while (!(await isSo())) {
    if (Date.now() > endsAt) throw new Error('it did not come');
    await sleep(500);
  }
};

/** Makes the running system a machine of its own, as is done with a clone of a snapshot. */
const restore = async (guest: Guest, run: Run, hostname: string) => {
  await run('date', '--set', '@1000000000');
  const report = await guest.helper.restore({ entropy: randomBytes(64), hostname, linkUp: true }, 2 * minutes);
  const asked = Date.now();
  const clock = Number(await run('date', '+%s.%N')) * 1_000;
  expect(clock).toBeGreaterThan(asked - 1_000);
  expect(clock).toBeLessThan(Date.now() + 1_000);
  expect(await run('cat', '/etc/machine-id')).toBe(report.machineId);
  expect(await run('hostname')).toBe(hostname);
  expect(await run('cat', '/etc/hostname')).toBe(hostname);
  expect(await run('getent', 'hosts', hostname)).toMatch(new RegExp(`^127\\.0\\.1\\.1\\s+${hostname}$`));
  expect(Object.keys(report.milliseconds)).toEqual([
    'random',
    'machine_id',
    'hostname',
    'ssh_keys',
    'secrets',
    'services',
  ]);
  const keys = await run('sh', '-c', 'cat /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_ecdsa_key.pub');
  return { ...report, keys: keys.split('\n'), random: report.random.toString('hex') };
};

const becomesItsOwnMachine = async (guest: Guest, run: Run) => {
  expect(await guest.helper.waitUntilReady(AbortSignal.timeout(minutes))).toEqual({
    version: '2',
    systemState: 'running',
    bootId: await run('cat', '/proc/sys/kernel/random/boot_id'),
  });
  const original = await run('sh', '-c', 'cat /etc/machine-id /etc/ssh/*.pub');
  const first = await restore(guest, run, 'clone-1');
  const second = await restore(guest, run, 'clone-2');
  const values = [...[first, second].flatMap(({ machineId, random, keys }) => [machineId, random, ...keys])];
  expect(values).toHaveLength(8);
  expect(new Set([...values, ...original.split('\n')]).size).toBe(8 + 3);
  await until(async () => (await run('systemctl', 'is-active', 'ssh')) === 'active');
  const served = () => run('sh', '-c', 'ssh-keyscan -t ed25519 127.0.0.1 2> /dev/null | cut -d " " -f 2,3');
  await until(async () => (await served()) === second.keys[0]?.split(' ').slice(0, 2).join(' '));
  await expect(
    guest.helper.restore({ entropy: randomBytes(32), hostname: 'a b', linkUp: true }, minutes),
  ).rejects.toMatchObject({ reason: 'guest_helper_failed' });
};

const typesWhateverTheKeyboard = async (guest: Guest, run: Run) => {
  const screen = () => run('sh', '-c', 'fold -w 80 /dev/vcs1');
  await guest.helper.type('ada\n');
  await until(async () => (await screen()).includes('Password:'));
  await guest.helper.type(`${password}\n`);
  await until(async () => (await screen()).includes('$'));
  await guest.helper.type("echo 'h€llo 漢' > /tmp/typed\n");
  await until(async () => (await run('sh', '-c', 'cat /tmp/typed || true')) === 'h€llo 漢');
  // KDSETMODE, KD_GRAPHICS (ioctl_console(2)), as a display server does.
  await run('perl', '-e', 'open T, "+<", "/dev/tty1" or die $!; ioctl(T, 0x4B3A, 1) or die $!');
  await expect(guest.helper.type('x')).rejects.toThrow('graphical');
};

let server: { buildId: string; iso: string; sha256: string };

describe('over MCP alone, from an empty data directory', () => {
  it(
    '"a Debian Bookworm server with SSH, Docker and monitoring" becomes a verified image',
    async () => {
      const recipe = {
        name: 'my-server',
        base_image: 'debian-bookworm',
        features: ['ssh', 'docker', 'monitoring'],
        users: [{ username: 'ada', password, sudo: true, groups: ['docker'] }],
        output: { compression: 'fast' },
      };
      const { build_id: buildId } = await call('create_build', { recipe });
      const state = await completed(buildId);
      expect(state).toMatchObject({ status: 'completed', progress: 100, verified: true });
      expect(state.stages.map(({ stage }: Json) => stage)).toEqual([
        'resolve',
        'fetch',
        'base',
        'packages',
        'configure',
        'initramfs',
        'squashfs',
        'image',
        'boot',
        'evidence',
      ]);
      const details = await call('get_build', { build_id: buildId });
      expect(details.artifacts.map(({ name }: Json) => name)).toEqual(
        expect.arrayContaining([
          'my-server.iso',
          'recipe.json',
          'lock.json',
          'boot.json',
          'serial.log',
          'screenshot.png',
          'SHA256SUMS',
        ]),
      );
      expect(JSON.stringify(details)).not.toContain(password);
      // Over a kept image nobody waits for a boot again: the first VM goes on from the one that it was tested by.
      expect(await call('create_vm', { build_id: buildId, name: 'first' })).toBeDefined();
      for (const patience = Date.now() + 5 * minutes; ; await sleep(500)) {
        const [first] = (await call('list_vms')).vms;
        if (first.state === 'running') {
          expect(first).toMatchObject({ vm_name: 'first', restored_from_snapshot: true });
          break;
        }
        if (first.state === 'failed' || Date.now() > patience) throw new Error(JSON.stringify(first));
      }
      await call('delete_vm', { vm_name: 'first' });
      // For the other factories of this run, whose subject a base is not.
      await (await BaseParts.of(recipe.base_image)).keep(data.dir);
      server = {
        buildId,
        iso: await download(buildId, path.join(data.dir, 'my-server.iso')),
        sha256: details.image_sha256,
      };
    },
    25 * minutes,
  );

  it(
    'boots under UEFI as well, is what the recipe said, and can become a machine of its own',
    async () => {
      await booted(server.iso, async (run, guest) => {
        expect(await run('hostname')).toBe('my-server');
        for (const service of ['ssh', 'docker', 'prometheus-node-exporter', 'qemu-guest-agent', 'systemd-networkd'])
          expect(await run('systemctl', 'is-active', service)).toBe('active');
        expect(await run('id', '-nG', 'ada')).toBe('ada sudo docker');
        expect(await run('sh', '-c', 'getent shadow ada | cut -c1-11')).toMatch(/^ada:\$y\$/);
        expect(await run('passwd', '--status', 'root')).toMatch(/^root L/);
        expect(await run('docker', 'info', '--format', '{{.LoggingDriver}}')).toBe('json-file');
        expect(await run('cat', '/etc/machine-id')).toMatch(/^[0-9a-f]{32}$/);
        expect(await run('sh', '-c', 'ls /etc/ssh/ssh_host_*_key')).toBe(
          '/etc/ssh/ssh_host_ecdsa_key\n/etc/ssh/ssh_host_ed25519_key',
        );
        expect(await run('cat', '/etc/apt/sources.list')).not.toMatch(/copy:|trusted/);
        expect(await run('cat', '/proc/cmdline')).toMatch(/persistence persistence-label=of-[0-9a-f]{11}/);
        // The layout of addresses was fixed while the initramfs ran; that of the system, from its first process on, is not (x86-64's without is this one).
        expect(await run('sh', '-c', 'lsinitramfs /run/live/medium/live/initrd.img | grep /openfactory$ | sort')).toBe(
          'scripts/init-bottom/openfactory\nscripts/init-top/openfactory',
        );
        expect(await run('head', '-n', '1', '/proc/1/maps')).toMatch(/^(?!555555554000)5/);
        for (const { id, check } of controlsOf('standard'))
          expect([id, await run(...check).catch((error: Error) => error.message)]).toEqual([id, '']);
        await becomesItsOwnMachine(guest, run);
        await typesWhateverTheKeyboard(guest, run);
      });
    },
    15 * minutes,
  );

  it(
    'gives the same image again from its cache, and does not boot it twice',
    async () => {
      const { build_id: buildId } = await call('create_build', {
        recipe: (await call('get_build', { build_id: server.buildId })).recipe,
      });
      const state = await completed(buildId);
      const cached = state.stages.filter(({ from_cache }: Json) => from_cache).map(({ stage }: Json) => stage);
      expect(cached).toEqual(['base', 'packages', 'configure', 'initramfs', 'image', 'boot']);
      expect((await call('get_build', { build_id: buildId })).image_sha256).toBe(server.sha256);
    },
    5 * minutes,
  );

  it(
    '"the GxP MedTech template with vim and htop" becomes a verified image',
    async () => {
      const began = Date.now();
      const made = await call('create_recipe_from_template', {
        template_id: 'gxp-medtech',
        name: 'gxp-station',
        modifications: {
          add_packages: ['vim', 'htop'],
          add_users: [{ username: 'ada', password, sudo: true }],
          output: { compression: 'fast' },
        },
      });
      const { build_id: buildId } = await call('create_build', { recipe_id: made.recipe_id });
      const state = await completed(buildId);
      expect(state).toMatchObject({ status: 'completed', verified: true });
      const base = state.stages.find(({ stage }: Json) => stage === 'base');
      expect(base).toMatchObject({ from_cache: true });
      const iso = await download(buildId, path.join(data.dir, 'gxp.iso'));
      await cloned(iso, began, async (run) => {
        for (const service of ['ssh', 'auditd', 'chrony', 'rsyslog', 'nftables'])
          expect(await run('systemctl', 'is-active', service)).toBe('active');
        expect(await run('vim', '--version')).toContain('VIM');
        expect(await run('nft', 'list', 'ruleset')).toContain('policy drop');
        expect(await run('auditctl', '-l')).toContain('/etc/shadow');
        for (const { id, check } of controlsOf('strict'))
          expect([id, await run(...check).catch((error: Error) => error.message)]).toEqual([id, '']);
      });
    },
    35 * minutes,
  );
});

describe('a build that cannot be', () => {
  it(
    'fails with the stage, the reason and whose fault it was',
    async () => {
      const { build_id: buildId } = await call('create_build', {
        recipe: {
          name: 'contradiction',
          base_image: 'debian-bookworm',
          features: ['ssh'],
          files: [{ path: '/opt/x', content: 'x', owner: 'nobody-of-that-name' }],
        },
      });
      const state = await ended(buildId);
      expect(state).toMatchObject({
        status: 'failed',
        error: { stage: 'configure', fault: 'caller', reason: 'configuration_failed', hint: expect.any(String) },
      });
      expect(state.error.last_lines.join('\n')).toContain('nobody-of-that-name');
    },
    5 * minutes,
  );
});

describe('a package that means harm', () => {
  let run: HostileRun | undefined;
  const install = async (...args: Parameters<typeof installHostile> extends [string, ...infer Rest] ? Rest : never) =>
    (run = await installHostile(data.dir, ...args));
  afterEach(async () => {
    await run?.remove();
    run = undefined;
    expect((await leftOvers(data.dir)).filter((line) => line.includes('hostile-'))).toEqual([]);
  });

  it(
    'sees nothing of the host, reaches nobody, and leaves nothing running',
    async () => {
      const marker = path.join(data.dir, 'marker');
      await writeFile(marker, 'of the host', { mode: 0o644 });
      let connections = 0;
      const listener = createServer(() => connections++).listen(0, '127.0.0.1');
      await new Promise((resolve) => listener.once('listening', resolve));
      const { port } = listener.address() as { port: number };
      const hostname = await readFile('/proc/sys/kernel/hostname', 'utf8');
      const { error, layerDir } = await install(`
      exec > /opt/report 2>&1
      for place in ${marker} /proc/1/root${marker} /../..${marker} /proc/self/root${marker}; do cat $place && echo "READ $place"; done
      chroot_escape() { mkdir -p /e; perl -e 'chroot("/e"); chdir("../../../../../../../..") for 1..20; chroot("."); open(F, "<", "${marker}") and print "READ by escape\n"'; }; chroot_escape
      (echo x > /dev/tcp/127.0.0.1/${port}) && echo CONNECTED
      mknod /opt/disk b 254 0 && dd if=/opt/disk of=/dev/null count=1 && echo "READ THE DISK"
      mount -t tmpfs none /srv; echo "mount: $?"
      hostname pwned; echo 1 > /proc/sys/kernel/panic && echo "SET A SYSCTL"
      kill -9 1; ls /proc | grep -c '^[0-9]*$' | sed 's/^/processes: /'
      ln -sfn ${data.dir} /etc/skel/link; ln -sf ${marker} /etc/hostname.new
      setsid sleep 4242 > /dev/null 2>&1 < /dev/null &
      true`);
      listener.close();
      expect(error).toBeUndefined();
      const report = await readFile(path.join(layerDir, 'opt/report'), 'utf8');
      for (const harm of ['READ', 'CONNECTED', 'SET A SYSCTL', 'of the host']) expect(report).not.toContain(harm);
      expect(Number(/processes: (\d+)/.exec(report)?.[1])).toBeLessThan(25);
      expect(connections).toBe(0);
      expect(await readFile(marker, 'utf8')).toBe('of the host');
      expect(await readFile('/proc/sys/kernel/hostname', 'utf8')).toBe(hostname);
      expect(
        (await readFile('/proc/mounts', 'utf8'))
          .split('\n')
          .filter((line) => line.includes('/srv') || line.includes(data.dir)),
      ).toEqual([]);
      const running = await Promise.all(
        (await readdir('/proc'))
          .filter((name) => /^\d+$/.test(name))
          .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
      );
      expect(running.filter((line) => line.includes('4242'))).toEqual([]);
    },
    2 * minutes,
  );

  it.each([
    [
      'forks without end',
      'bomb() { bomb | bomb & }; bomb; sleep 3600',
      { withinMs: 15_000 },
      /took longer than|ended with an error/,
      /caller|system/,
    ],
    ['fills the disk', 'dd if=/dev/zero of=/opt/fill bs=1M count=100000', {}, /wrote more than 256 MiB/, /caller/],
    [
      'fills the disk and says that all is well',
      'dd if=/dev/zero of=/opt/fill bs=1M count=100000; true',
      {},
      /wrote more than 256 MiB/,
      /caller/,
    ],
    [
      'makes files without end',
      'cd /opt; for i in $(seq 1 30000); do : > $i || exit 1; done',
      {},
      /wrote more than 20000 files/,
      /caller/,
    ],
    [
      'prints without end',
      'yes "a line that nobody wants to read, again and again and again"',
      {},
      /printed more than 4 MiB/,
      /caller/,
    ],
    ['never ends', 'sleep 3600', { withinMs: 4_000 }, /took longer than/, /system/],
    ['fails', 'echo "no thanks"; exit 7', {}, /a maintainer script ended with an error/, /caller/],
  ])(
    'that %s is stopped, with a reason, and it is said whose fault it was',
    async (_, postinst, limits, message, whose) => {
      const { error } = await install(postinst, limits);
      expect(error).toBeInstanceOf(BuildFailure);
      expect(error).toMatchObject({
        stage: 'packages',
        whose: expect.stringMatching(whose),
        message: expect.stringMatching(message),
      });
    },
    3 * minutes,
  );

  it(
    'that digs deeper than names reach is told so, and what it left is gone',
    async () => {
      const { error } = await install(`perl -e 'for (1..100) { mkdir "d" x 200; chdir "d" x 200 }'`);
      expect(error).toMatchObject({ reason: 'path_too_long', fault: 'caller' });
    },
    3 * minutes,
  );

  it(
    'that plants a link where the factory writes later gets its write inside the tree',
    async () => {
      const target = path.join(data.dir, 'target');
      await writeFile(target, 'untouched');
      const { error, layerDir } = await install(
        `rm -f /etc/machine-id; ln -s ${target} /etc/machine-id; rm -rf /var/log; ln -s ${data.dir} /var/log`,
      );
      expect(error).toBeUndefined();
      expect(await readFile(target, 'utf8')).toBe('untouched');
      expect(await readdir(data.dir)).toEqual(expect.arrayContaining(['builds', 'database', 'secret', 'target']));
      expect((await lstat(path.join(layerDir, 'etc/machine-id'))).isFile()).toBe(true);
    },
    2 * minutes,
  );

  it(
    'does no harm to the next build',
    async () => {
      const { build_id: buildId } = await call('create_build', {
        recipe: (await call('get_build', { build_id: server.buildId })).recipe,
      });
      expect(await completed(buildId)).toMatchObject({ verified: true });
    },
    5 * minutes,
  );
});
