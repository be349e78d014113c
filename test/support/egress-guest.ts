import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  attemptsScript,
  closed,
  closed6,
  connectScript,
  datagramScript,
  echoScript,
  expectNoSlirp,
  open,
  port,
  type Ran,
} from './egress-probes.js';
import { EgressWorld } from './egress-world.js';

const isRoot = process.getuid?.() === 0;

/** What a guest of a real image reaches; for a live test that has one. Everything happens in namespaces that the test made. */
export function egressGuestTests(image: () => string): void {
  (isRoot ? describe : describe.skip)(
    `a guest with the network egress${isRoot ? '' : ' (skipped: only root makes namespaces that stand for a host)'}`,
    () => {
      let world: EgressWorld;
      const guestDir = (name: string) => path.join(world.dir, name);
      const machine = async (name: string) => {
        await mkdir(guestDir(name));
        return {
          isoPath: image(),
          memoryMb: 512,
          vcpus: 1,
          firmware: 'bios',
          network: 'egress',
          workDir: guestDir(name),
          diskPath: path.join(guestDir(name), 'disk.qcow2'),
        };
      };
      const run = (guest: number, program: string, ...args: string[]) =>
        world.call<Ran>('execute', guest, program, ...args);
      const perl = (guest: number, script: string, ...args: (string | number)[]) =>
        run(guest, '/usr/bin/perl', '-e', script, ...args.map(String));
      /** By hand, because an image need not have a DHCP client. */
      const configure = async (guest: number) => {
        const [card] = (await run(guest, '/bin/ls', '/sys/class/net')).stdout
          .split('\n')
          .filter((name) => name && name !== 'lo');
        const script = `ip link set ${card} up; ip address replace 10.0.2.15/24 dev ${card}; ip route replace default via 10.0.2.2; rm -f /etc/resolv.conf; echo nameserver 10.0.2.3 > /etc/resolv.conf; ip -6 address add fec0::15/64 dev ${card}; ip -6 route add default via fec0::2`;
        await run(guest, '/bin/bash', '-c', script);
      };
      /** All at once, by one program: to start one takes an emulated guest longer than to be refused. @returns what each attempt printed */
      const attempt = async (
        guest: number,
        attempts: { name: string; script: string; args: (string | number)[] }[],
      ) => {
        const { stdout } = await perl(
          guest,
          attemptsScript,
          ...attempts.map(({ name, script, args }) => [name, script, ...args].join('\x1f')),
        );
        return stdout
          .trimEnd()
          .split('\n')
          .map((line) => line.split('\t'));
      };
      const triesEverything = async (guest: number) => {
        const elsewhere = [
          ...closed.filter((one) => !['127.0.0.1', '127.0.0.53', '0.0.0.0', '10.0.2.15'].includes(one)),
          ...closed6.filter((one) => one !== '::1'),
        ];
        const attempts = [
          { name: 'connection', script: connectScript, args: [open, port] },
          { name: 'datagram', script: datagramScript, args: [open, port, 1_000, 30] },
          ...elsewhere.map((address) => ({
            name: `connection to ${address}`,
            script: connectScript,
            args: [address, port],
          })),
          ...elsewhere
            .filter((address) => !address.includes(':'))
            .flatMap((address) => [
              { name: `datagram to ${address}`, script: datagramScript, args: [address, port, 3_000, 5] },
              { name: `echo to ${address}`, script: echoScript, args: [address] },
            ]),
        ];
        const [connection, datagram, ...others] = await attempt(guest, attempts);
        expect([connection, datagram]).toEqual([
          ['connection', 'internet'],
          ['datagram', 'internet 1000'],
        ]);
        expect(others.map(([name]) => name)).toEqual(attempts.slice(2).map(({ name }) => name));
        expect(others.filter(([, printed]) => /^(host|internet)|died/.test(printed ?? ''))).toEqual([]);
        expect((await run(guest, '/usr/bin/getent', 'ahostsv4', 'example.org')).stdout).toMatch(new RegExp(`^${open}`));
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
    },
  );
}
