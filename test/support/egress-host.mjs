// A world of two network namespaces: this process is in the one that stands for the host, and makes the other, which stands for the internet. Nothing
// leads out of them. Started by egress-world.ts as root, in new network and mount namespaces; answers commands on standard input, a line of JSON each.
import dgram from 'node:dgram';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { killGroup, runProgram, spawnProgram } from '#libs/platform';
import { guestAccount } from '../../dist/libs/hypervisor/src/qemu/guest-account.js';
import { openEgress } from '../../dist/libs/hypervisor/src/qemu/egress/egress-network.js';
import { processorsOf } from '../../dist/libs/hypervisor/src/qemu/host-processors.js';
import { egressProblem } from '../../dist/libs/hypervisor/src/qemu/egress/egress-problem.js';
import { QemuDisks } from '../../dist/libs/hypervisor/src/qemu/qemu-disks.js';
import { QemuHypervisor } from '../../dist/libs/hypervisor/src/qemu/qemu-hypervisor.js';

const port = 8080;
const never = new AbortController().signal;
const run = async (program, ...args) => (await runProgram(program, args, { deadlineMs: 30_000 })).stdout;

/** Says who it is to everybody who connects or sends a datagram, on every address there is. */
async function listen(name, addresses) {
  const tcp = net.createServer((socket) => socket.on('error', () => undefined).end(name));
  await new Promise((resolve) => tcp.listen(port, '::', resolve));
  for (const own of addresses) {
    const udp = dgram.createSocket('udp4');
    udp.on('message', (message, { address, port: from }) => udp.send(`${name} ${message.length}`, from, address));
    await new Promise((resolve) => udp.bind(port, own, resolve));
  }
}

/** A resolver of the host's, on its loopback: every name is 203.0.113.10 (RFC 1035). */
async function resolveNames() {
  const answer = (query) => {
    const end = query.indexOf(0, 12) + 5;
    const isA = query.readUInt16BE(end - 4) === 1;
    const header = Buffer.from([query[0], query[1], 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    const record = isA ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 10]) : Buffer.alloc(0);
    return Buffer.concat([header, query.subarray(12, end), record]);
  };
  const udp = dgram.createSocket('udp4');
  udp.on('message', (query, { address, port: from }) => udp.send(answer(query), from, address));
  await new Promise((resolve) => udp.bind(53, '127.0.0.53', resolve));
}

async function makeHost(internet, uid) {
  const there = (...args) => run('nsenter', `--target=${internet.pid}`, '--net', '--', 'ip', ...args);
  await run('ip', 'link', 'set', 'lo', 'up');
  await run('ip', 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'wan', 'netns', String(internet.pid));
  await there('link', 'set', 'lo', 'up');
  for (const address of ['10.99.0.2/24', '203.0.113.10/32', 'fd00:99::2/64', '2001:db8::10/128'])
    await there('address', 'add', address, 'dev', 'wan', ...(address.includes(':') ? ['nodad'] : []));
  await there('link', 'set', 'wan', 'up');
  for (const address of ['10.99.0.1/24', 'fd00:99::1/64'])
    await run('ip', 'address', 'add', address, 'dev', 'wan', ...(address.includes(':') ? ['nodad'] : []));
  await run('ip', 'link', 'set', 'wan', 'up');
  // A bridge without a port: dummy devices are not in every kernel.
  await run('ip', 'link', 'add', 'lan', 'type', 'bridge');
  for (const address of [
    '192.168.77.1/24',
    '172.16.5.1/24',
    '100.64.9.1/24',
    '169.254.169.254/32',
    '198.51.100.7/24',
    '198.18.3.1/24',
  ])
    await run('ip', 'address', 'add', address, 'dev', 'lan');
  await run('ip', 'link', 'set', 'lan', 'up');
  await run('ip', 'route', 'add', 'default', 'via', '10.99.0.2');
  await run('ip', '-6', 'route', 'add', 'default', 'via', 'fd00:99::2');
  await writeFile('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
  // Every packet that a process of a guest's account sends from the host's network, whatever it carries.
  const rules = `table inet witness {
    counter open { }
    counter names { }
    set closed { type ipv4_addr . inet_proto; flags dynamic; }
    set closed6 { type ipv6_addr . inet_proto; flags dynamic; }
    chain guest {
      ip daddr 203.0.113.10 meta l4proto { tcp, udp } counter name open accept
      ip daddr 127.0.0.53 udp dport 53 counter name names accept
      update @closed { ip daddr . meta l4proto }
      update @closed6 { ip6 daddr . meta l4proto }
    }
    chain output {
      type filter hook output priority filter
      # The kernel's own packets have no account.
      meta skuid ${uid} jump guest
    }
  }`;
  await runProgram('nft', ['--file', '-'], { deadlineMs: 10_000, input: rules });
}

async function become(dir) {
  const account = await guestAccount();
  const internet = spawnProgram('unshare', ['--net', '--', process.execPath, import.meta.filename, 'internet']);
  internet.stderr.pipe(process.stderr);
  const said = () =>
    new Promise(
      (resolve, reject) =>
        internet.stdout.once('data', resolve) && internet.once('close', () => reject(new Error('no internet'))),
    );
  await said();
  await makeHost(internet, account.uid);
  internet.stdin.write('\n');
  await said();
  await listen('host', ['0.0.0.0']);
  await resolveNames();
  const conf = path.join(dir, 'resolv.conf');
  await writeFile(conf, 'nameserver 127.0.0.53\n', { mode: 0o644 });
  await run('mount', '--bind', conf, '/etc/resolv.conf');
  return { account, internet };
}

/** Packets to the internet and to the resolver, and everything else that was sent, as `address protocol`. */
async function witness() {
  const { nftables } = JSON.parse(await run('nft', '--json', 'list', 'table', 'inet', 'witness'));
  const count = (name) => nftables.find(({ counter }) => counter?.name === name).counter.packets;
  const closed = nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map((elem) => (elem.elem?.val ?? elem).concat.join(' '));
  return { open: count('open'), names: count('names'), closed };
}

async function serve(dir) {
  const { account, internet } = await become(dir);
  const hypervisor = new QemuHypervisor();
  const networks = [];
  const guests = [];
  /** In a guest's network, with more rights there than QEMU ever has. */
  const inside = async (index, program, ...args) => {
    const [, ...join] = networks[index].join;
    const { code, stdout, stderr } = await runProgram('nsenter', [...join, program, ...args], {
      account,
      deadlineMs: 60_000,
      okCodes: [...Array(256).keys()],
    });
    return { code, stdout, stderr };
  };
  const commands = {
    problem: () => egressProblem(),
    open: async () =>
      networks.push(await openEgress({ account, workDir: dir, processors: processorsOf('self') }, never)) - 1,
    close: (index) => networks[index].close(),
    inside,
    witness,
    start: async (spec) => guests.push(await hypervisor.start(spec, never)) - 1,
    save: (index, snapshotDir) => hypervisor.saveSnapshot(guests[index], snapshotDir),
    restore: async (snapshotDir, spec) => guests.push(await hypervisor.startFromSnapshot(snapshotDir, spec, never)) - 1,
    agent: (index) => guests[index].waitForAgent(AbortSignal.timeout(1_200_000)),
    link: (index, up) => guests[index].setLink(up),
    execute: (index, program, ...args) => guests[index].execute(program, args, { deadlineMs: 120_000 }),
    quit: (index) => guests[index].quit(),
    disk: (diskPath) => new QemuDisks().createPersistent(diskPath, { label: 'persistence', sizeBytes: 256 << 20 }),
  };
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { id, command, args } = JSON.parse(line);
    const answer = (result) => process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);
    Promise.resolve()
      .then(() => commands[command](...args))
      .then(
        (value) => answer({ value }),
        (error) =>
          answer({ error: { message: `${error.message} ${error.cause?.message ?? ''}`, reason: error.reason } }),
      );
  });
  lines.on('close', () => {
    void Promise.allSettled([
      ...networks.map((network) => network.close()),
      ...guests.map((guest) => guest?.quit()),
    ]).then(() => {
      killGroup(internet, 0);
      process.exit(0);
    });
  });
  process.stdout.write(`${JSON.stringify({ id: 0, value: { uid: account.uid } })}\n`);
}

if (process.argv[2] === 'internet') {
  process.stdout.write('there\n');
  await new Promise((resolve) => process.stdin.once('data', resolve)); // Its addresses are there.
  await listen('internet', ['203.0.113.10', '10.99.0.2']);
  process.stdout.write('listening\n');
} else await serve(process.argv[2]);
