import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import {
  closed,
  closed6,
  connectScript,
  datagramScript,
  echoScript,
  expectNoSlirp,
  fragmentScript,
  open,
  port,
  type Ran,
} from '../support/egress-probes.js';
import { EgressWorld } from '../support/egress-world.js';

jest.setTimeout(120_000);

const isRoot = process.getuid?.() === 0;
const describeAsRoot = isRoot ? describe : describe.skip;

describeAsRoot(
  `the network of a guest${isRoot ? '' : ' (skipped: only root makes namespaces that stand for a host)'}`,
  () => {
    let world: EgressWorld;
    let index: number;
    const perl = (script: string, ...args: (string | number)[]) =>
      world.call<Ran>('inside', index, 'perl', '-e', script, ...args.map(String));
    const witness = () => world.call<{ open: number; names: number; closed: string[] }>('witness');

    beforeAll(async () => {
      world = await EgressWorld.open();
      index = await world.call('open');
    });
    afterAll(() => world?.close());

    it('can be had here', async () => {
      expect(await world.call('problem')).toBeUndefined();
    });

    it('reaches the internet: connections, datagrams, large ones too, and names', async () => {
      expect((await perl(connectScript, open, port)).stdout).toBe('internet');
      expect((await perl(datagramScript, open, port, 5, 4)).stdout).toBe('internet 5');
      expect((await perl(datagramScript, open, port, 5_000, 4)).stdout).toBe('internet 5000');
      const query =
        'use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); send(S, pack("n6", 7, 256, 1, 0, 0, 0) . "\\x07example\\x03org" . chr(0) . pack("n2", 1, 1), 0, sockaddr_in(53, inet_aton("10.0.2.3"))); recv(S, my $b, 2000, 0); print inet_ntoa(substr($b, -4))';
      expect((await perl(query)).stdout).toBe(open);
      const { open: packets, names } = await witness();
      expect(packets).toBeGreaterThan(0);
      expect(names).toBe(1);
    });

    it.each(closed)('does not reach %s: no connection, datagram, fragment or echo', async (address) => {
      for (const { code, stdout } of await Promise.all([
        perl(connectScript, address, port),
        perl(datagramScript, address, port, 5, 1),
        perl(datagramScript, address, port, 5_000, 1),
      ])) {
        expect(code).toBe(1);
        expect(stdout).not.toMatch(/^(host|internet)/);
      }
      await perl(echoScript, address);
      await perl(fragmentScript, address, port);
      expect((await witness()).closed).toEqual([]);
    });

    it.each(closed6)('does not reach %s, for IPv6 is off', async (address) => {
      const { code } = await perl(connectScript, address, port);
      expect(code).toBe(1);
      expect((await witness()).closed).toEqual([]);
    });

    it('refuses at once what is closed, so that nobody in a guest waits for it', async () => {
      expect((await perl(connectScript, '10.99.0.1', port)).stdout).toMatch(
        /^no: .*(No route to host|refused|unreachable)/,
      );
    });

    it('has a filter to thank for it: without, the same attempts arrive', async () => {
      const another = await world.call<number>('open');
      const [kept] = [index];
      index = another;
      try {
        await world.call('inside', another, 'nft', 'flush', 'ruleset');
        expect((await perl(connectScript, '10.99.0.1', port)).stdout).toBe('host');
        expect((await perl(connectScript, '198.51.100.7', port)).stdout).toBe('host');
        expect((await perl(connectScript, '169.254.169.254', port)).stdout).toBe('host');
        expect((await perl(datagramScript, '10.99.0.1', port, 5_000, 4)).stdout).toBe('host 5000');
        await perl(echoScript, '10.99.0.1');
        await perl(fragmentScript, '10.99.0.1', port);
        await sleep(500);
        const { closed: seen } = await witness();
        for (const packet of ['10.99.0.1 tcp', '169.254.169.254 tcp', '10.99.0.1 udp']) expect(seen).toContain(packet);
      } finally {
        index = kept;
        await world.call('close', another);
      }
    });

    it('is made by a slirp4netns without root, capabilities over the host or a way to them, and ends with the guest', async () => {
      const before = await world.slirps();
      const another = await world.call<number>('open');
      const pid = (await world.slirps()).find((one) => !before.includes(one));
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t[1-9]\d*\t/m);
      for (const line of ['NoNewPrivs:\t1', 'Seccomp:\t2', 'CapBnd:\t0000000000000400'])
        expect(status).toContain(`${line}\n`);
      expect(await readFile(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max open files +512 /m);
      await world.call('close', another);
      for (let tries = 0; (await world.slirps()).includes(pid!) && tries < 100; tries++) await sleep(100);
      expect(await world.slirps()).toEqual(before);
    });
  },
);

describeAsRoot(
  `the way out of a guest${isRoot ? '' : ' (skipped: only root makes namespaces that stand for a host)'}`,
  () => {
    /** It finds nothing to boot, and stays. */
    const startAndKill = async (survives: boolean) => {
      const world = await EgressWorld.open();
      const workDir = path.join(world.dir, 'machine');
      await mkdir(workDir);
      await world.call('start', {
        memoryMb: 64,
        vcpus: 1,
        firmware: 'bios',
        network: 'egress',
        workDir,
        uidIndex: 0,
        survives,
      });
      const slirps = await world.slirps();
      expect(slirps).toHaveLength(1);
      await world.kill();
      return { world, workDir, slirps };
    };

    it('ends with a factory that is killed, where the guest does', async () => {
      const { world } = await startAndKill(false);
      await expectNoSlirp(world);
      await world.remove();
    });

    it('stays with a guest that survives the factory, and ends when it ends', async () => {
      const { world, workDir, slirps } = await startAndKill(true);
      const guest = await new QemuHypervisor().adopt(workDir);
      expect(guest).toBeDefined();
      await sleep(1_000);
      expect(await world.slirps()).toEqual(slirps);
      await guest!.quit();
      await expectNoSlirp(world);
      await world.remove();
    });
  },
);
