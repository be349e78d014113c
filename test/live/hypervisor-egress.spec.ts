import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { EgressWorld } from '../support/egress-world.js';

jest.setTimeout(120_000);

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

const open = '203.0.113.10';
const port = '8080';
/** The host's loopback, its own addresses, its metadata service, its gateway, its networks, and where other guests and slirp itself are. */
const closed = ['127.0.0.1', '127.0.0.53', '10.99.0.1', '10.99.0.2', '192.168.77.1', '172.16.5.1', '100.64.9.1', '169.254.169.254', '198.51.100.7', '198.51.100.8', '198.18.3.1', '10.0.2.2', '10.0.2.3', '10.0.2.15', '10.0.2.100', '0.0.0.0', '224.0.0.1', '255.255.255.255'];
const closed6 = ['::1', 'fd00:99::1', 'fd00:99::2', '2001:db8::10', 'fd00::2', '::ffff:10.99.0.1'];

/** perl-base is on every Debian. */
const connectScript = 'use IO::Socket::IP; my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 4) or print("no: $@"), exit 1; print <$s>';
const datagramScript = 'use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); setsockopt(S, SOL_SOCKET, SO_BROADCAST, 1); send(S, "x" x $ARGV[2], 0, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) // (print("no: $!"), exit 1); my $r = ""; vec($r, fileno(S), 1) = 1; select($r, undef, undef, $ARGV[3]) or exit 1; recv(S, my $b, 2000, 0) // exit 1; print $b';
const echoScript = 'use Socket; socket(S, PF_INET, SOCK_RAW, 1) or die "no raw socket: $!"; send(S, pack("C2n3a8", 8, 0, 0xe0e2, 0x1234, 1, chr(0) x 8), 0, sockaddr_in(0, inet_aton($ARGV[0]))) // (print("no: $!"), exit 1); print "sent"';
const fragmentScript = 'use Socket; socket(S, PF_INET, SOCK_RAW, 255) or die "no raw socket: $!"; my $d = inet_aton($ARGV[0]); for my $f ([0x2000, pack("n4", 9, $ARGV[1], 24, 0) . "x" x 8], [2, "y" x 8]) { send(S, pack("C2n3C2na4a4", 0x45, 0, 20 + length($f->[1]), 7, $f->[0], 64, 17, 0, inet_aton("10.0.2.100"), $d) . $f->[1], 0, sockaddr_in(0, $d)) } print "sent"';

const isRoot = process.getuid?.() === 0;
const describeAsRoot = isRoot ? describe : describe.skip;

describeAsRoot(`the network of a guest${isRoot ? '' : ' (skipped: only root makes namespaces that stand for a host)'}`, () => {
  let world: EgressWorld;
  let index: number;
  const perl = (script: string, ...args: (string | number)[]) => world.call<Ran>('inside', index, 'perl', '-e', script, ...args.map(String));
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
    const query = 'use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); send(S, pack("n6", 7, 256, 1, 0, 0, 0) . "\\x07example\\x03org" . chr(0) . pack("n2", 1, 1), 0, sockaddr_in(53, inet_aton("10.0.2.3"))); recv(S, my $b, 2000, 0); print inet_ntoa(substr($b, -4))';
    expect((await perl(query)).stdout).toBe(open);
    const { open: packets, names } = await witness();
    expect(packets).toBeGreaterThan(0);
    expect(names).toBe(1);
  });

  it.each(closed)('does not reach %s: no connection, datagram, fragment or echo', async (address) => {
    for (const { code, stdout } of await Promise.all([perl(connectScript, address, port), perl(datagramScript, address, port, 5, 1), perl(datagramScript, address, port, 5_000, 1)])) {
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
    expect((await perl(connectScript, '10.99.0.1', port)).stdout).toMatch(/^no: .*(No route to host|refused|unreachable)/);
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
    for (const line of ['NoNewPrivs:\t1', 'Seccomp:\t2', 'CapBnd:\t0000000000000400']) expect(status).toContain(`${line}\n`);
    expect(await readFile(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max open files +512 /m);
    await world.call('close', another);
    for (let tries = 0; (await world.slirps()).includes(pid!) && tries < 100; tries++) await sleep(100);
    expect(await world.slirps()).toEqual(before);
  });
});

describeAsRoot(`the way out of a guest${isRoot ? '' : ' (skipped: only root makes namespaces that stand for a host)'}`, () => {
  /** It finds nothing to boot, and stays. */
  const startAndKill = async (survives: boolean) => {
    const world = await EgressWorld.open();
    const workDir = path.join(world.dir, 'machine');
    await mkdir(workDir);
    await world.call('start', { memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'egress', workDir, slot: 0, survives });
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
});

const iso = process.env.OPENFACTORY_TEST_ISO;
const canBoot = isRoot && iso !== undefined;

(canBoot ? describe : describe.skip)(`a guest with the network egress${canBoot ? '' : ' (skipped: needs root, and OPENFACTORY_TEST_ISO naming an image of the factory with the guest agent)'}`, () => {
  let world: EgressWorld;
  const guestDir = (name: string) => path.join(world.dir, name);
  const machine = async (name: string) => {
    await mkdir(guestDir(name));
    return { isoPath: iso, memoryMb: 512, vcpus: 1, firmware: 'bios', network: 'egress', workDir: guestDir(name), diskPath: path.join(guestDir(name), 'disk.qcow2') };
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

async function expectNoSlirp(world: EgressWorld): Promise<void> {
  for (let tries = 0; (await world.slirps()).length && tries < 100; tries++) await sleep(100);
  expect(await world.slirps()).toEqual([]);
}
