import type { ChildProcess } from 'node:child_process';
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { clip, killGroup, runProgram, spawnProgram, type Account } from '#libs/platform';
import { onProcessors } from '../host-processors.js';
import { tunnel } from './egress-filter.js';

export interface TunnelOptions {
  account: Account | undefined;
  dir: string;
  survives?: boolean;
  /** Becomes readable or hangs up when the tunnel is to end. */
  aliveFd: number;
  /** Of the host: those that the guest runs on. */
  processors: readonly number[];
  /** A process in the user and network namespace. */
  namespacesOf: number;
}

const device = '/dev/net/tun';
/** Linux' number of it (Documentation/admin-guide/devices.txt). */
const deviceNumber = { major: 10, minor: 200 };
/** Descriptors are connections: each one of a guest is a socket of slirp4netns. */
const limits = ['prlimit', '--nofile=512', '--nproc=4096', '--core=0', `--fsize=${1 << 20}`, `--as=${1 << 30}`, '--'];

/**
 * slirp4netns(1) in the host's network, under the guest's account, with its sandbox (a mount namespace with nothing but /etc and /run, no
 * capabilities), its system calls filtered, no port forwarded in and no API. It resolves once the tunnel is up.
 */
export async function attachTunnel(options: TunnelOptions, stop: AbortSignal): Promise<ChildProcess> {
  const { account, aliveFd, namespacesOf, survives, dir, processors } = options;
  const log = path.join(dir, 'slirp4netns.log');
  const handle = await open(log, 'a', 0o600);
  try {
    const args = [
      '--configure',
      '--mtu=1500',
      '--disable-host-loopback',
      '--enable-sandbox',
      '--enable-seccomp',
      '--exit-fd=3',
      '--ready-fd=4',
      String(namespacesOf),
      tunnel.name,
    ];
    const command = [...limits, ...onProcessors(processors), 'slirp4netns', ...args];
    const node = account && (await isClosedToOthers()) ? await makeDevice(dir, account) : undefined;
    const [program, ...rest] = node && account ? [...withDevice(node, account), ...command] : command;
    const child = spawnProgram(program as string, rest, {
      ...(node ? {} : { account }),
      survives,
      inherit: [aliveFd, 'pipe'],
      output: handle.fd,
    });
    try {
      await untilReady(child, stop);
    } catch (error) {
      killGroup(child, 0);
      stop.throwIfAborted();
      throw new Error(
        `slirp4netns did not start: ${clip((await readFile(log, 'utf8')).trim().split('\n').at(-1) || 'it said nothing', 300)}`,
        { cause: error },
      );
    }
    child.unref();
    return child;
  } finally {
    await handle.close();
  }
}

function untilReady(child: ChildProcess, stop: AbortSignal): Promise<void> {
  const ready = child.stdio[4] as Readable;
  return new Promise((resolve, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
    ready.once('data', () => resolve(ready.destroy() && undefined));
    ready.once('error', reject);
    child.once('error', reject);
    child.once('exit', () => reject(new Error('it ended')));
  });
}

/** udev opens the device to everybody (50-udev-default.rules); without udev it is root's. */
async function isClosedToOthers(): Promise<boolean> {
  return ((await stat(device)).mode & 0o006) !== 0o006;
}

async function makeDevice(dir: string, account: Account): Promise<string> {
  const node = path.join(dir, 'tun');
  await runProgram('mknod', ['--mode=600', node, 'c', String(deviceNumber.major), String(deviceNumber.minor)], {
    deadlineMs: 30_000,
  });
  await runProgram('chown', [`${account.uid}:${account.gid}`, node], { deadlineMs: 30_000 });
  return node;
}

/** The device in its place, in a mount namespace of this process alone; only then the privileges are dropped that made it. */
function withDevice(node: string, { uid, gid }: Account): string[] {
  const places = ['--dev-bind', '/', '/', '--dev-bind', node, device];
  const kept = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((capability) => ['--cap-add', capability]);
  return [
    'bwrap',
    ...places,
    '--cap-drop',
    'ALL',
    ...kept,
    '--',
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--bounding-set=-all',
    '--no-new-privs',
    '--pdeathsig=KILL',
    '--',
  ];
}
