import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { closed, closed6, connectScript, datagramScript, echoScript, expectNoSlirp, open, port, type Ran } from './egress-probes.js';
import { EgressWorld } from './egress-world.js';

const isRoot = process.getuid?.() === 0;

/** What a guest of a real image reaches; for a live test that has one. Everything happens in namespaces that the test made. */
export function egressGuestTests(image: () => string): void {
  (isRoot ? describe : describe.skip)(`a guest with the network egress${isRoot ? '' : ' (skipped: only root makes namespaces that stand for a host)'}`, () => {
    let world: EgressWorld;
    const guestDir = (name: string) => path.join(world.dir, name);
    const machine = async (name: string) => {
      await mkdir(guestDir(name));
      return { isoPath: image(), memoryMb: 512, vcpus: 1, firmware: 'bios', network: 'egress', workDir: guestDir(name), diskPath: path.join(guestDir(name), 'disk.qcow2') };
    };
    const run = (guest: number, program: string, ...args: string[]) => world.call<Ran>('execute', guest, program, ...args);
    const perl = (guest: number, script: string, ...args: (string | number)[]) => run(guest, '/usr/bin/perl', '-e', script, ...args.map(String));
    /** By hand, because an image need not have a DHCP client. */
    const configure = async (guest: number) => {
      const [card] = (await run(guest, '/bin/ls', '/sys/class/net')).stdout.split('\n').filter((name) => name && name !== 'lo');
      const script = `ip link set ${card} up; ip address replace 10.0.2.15/24 dev ${card}; ip route replace default via 10.0.2.2; rm -f /etc/resolv.conf; echo nameserver 10.0.2.3 > /etc/resolv.conf; ip -6 address add fec0::15/64 dev ${card}; ip -6 route add default via fec0::2`;
      await run(guest, '/bin/bash', '-c', script);
    };
    const triesEverything = async (guest: number) => {
      expect((await perl(guest, connectScript, open, port)).stdout).toBe('internet');
      expect((await perl(guest, datagramScript, open, port, 1_000, 10)).stdout).toBe('internet 1000');
      expect((await run(guest, '/usr/bin/getent', 'ahostsv4', 'example.org')).stdout).toMatch(new RegExp(`^${open}`));
      for (const address of [...closed.filter((one) => !['127.0.0.1', '127.0.0.53', '0.0.0.0', '10.0.2.15'].includes(one)), ...closed6.filter((one) => one !== '::1')]) {
        expect([address, (await perl(guest, connectScript, address, port)).stdout]).toEqual([address, expect.not.stringMatching(/^(host|internet)/)]);
        if (!address.includes(':')) expect([address, (await perl(guest, datagramScript, address, port, 3_000, 1)).stdout]).toEqual([address, expect.not.stringMatching(/^(host|internet)/)]);
        if (!address.includes(':')) await perl(guest, echoScript, address);
      }
      expect((await world.call<{ closed: string[] }>('witness')).closed).toEqual([]);
    };

    beforeAll(async () => {
      world = await EgressWorld.open();
    });
    afterAll(() => world?.close());

    it('reaches the internet and nothing else; so does one that goes on from its saved state', async () => {
      const first = await machine('first');
      await world.call('disk', first.diskPath);
      const guest = await world.call<number>('start', { ...first, savable: true });
      await world.call('agent', guest);
      await configure(guest);
      await triesEverything(guest);
      await world.call('save', guest, guestDir('snapshot'));
      const clone = await world.call<number>('restore', guestDir('snapshot'), await machine('second'));
      await world.call('agent', clone);
      await world.call('link', clone, true);
      await triesEverything(clone);
      await world.call('quit', clone);
      await expectNoSlirp(world);
    }, 2_400_000);
  });
}
