import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import {
  AppError,
  asText,
  errorMessage,
  hostTimeout,
  killGroup,
  runProgram,
  spawnProgram,
  type Account,
} from '#libs/platform';
import { guestError } from '../../guest-error.js';
import { findHostNetworks } from './closed-networks.js';
import { egressRules, tunnel } from './egress-filter.js';
import { attachTunnel } from './tunnel.js';

export interface EgressOptions {
  /** Of the guest. Undefined: our own. */
  account: Account | undefined;
  /** Of the host: those that the guest runs on. */
  processors: readonly number[];
  /** For a directory of its own, gone again after `release` or `close`; the account can enter it. */
  workDir: string;
  /** Lives on when the factory is killed, for as long as the guest holds it. */
  survives?: boolean;
}

/** What QEMU's own user network (-netdev user) takes in a guest's network. The guest sees 10.0.2.0/24; IPv6 is off. */
export const egressNetdev = { type: 'user', ipv6: false } as const;

/**
 * A user and a network namespace for one guest, filtered, with slirp4netns as the only way out of it. QEMU runs in them:
 * - started as `[...join, 'bwrap', ...]`, under the same account, with bwrap's `--share-net` after `--unshare-all`: its user namespace is then one
 *   below, where nobody has a capability over this network;
 * - `resolvConf` bound to /etc/resolv.conf (before `release`): its user network hands DNS to the server named there;
 * - `holdFd` inherited: when the last process that holds it is gone, so is slirp4netns. Nothing needs to be ended, found or adopted;
 * - then `release` after it has started, or `close` when it has not.
 */
export interface EgressNetwork {
  readonly join: readonly string[];
  readonly holdFd: number;
  readonly resolvConf: string;
  readonly release: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const startMs = 20_000;

/** @throws AppError `hypervisor_unavailable`, or the signal's reason */
export async function openEgress(options: EgressOptions, signal: AbortSignal): Promise<EgressNetwork> {
  signal.throwIfAborted();
  const parts: Parts = { dir: await mkdtemp(path.join(options.workDir, 'guest-network-')), handles: [] };
  const late = hostTimeout(startMs);
  const stop = AbortSignal.any([signal, late.signal]);
  try {
    return await build(parts, options, stop);
  } catch (error) {
    await close(parts);
    signal.throwIfAborted();
    throw asUnavailable(stop.aborted ? `it was not there within ${startMs / 1_000} s` : errorMessage(error), error);
  } finally {
    late.stop();
  }
}

interface Parts {
  dir: string;
  handles: FileHandle[];
  /** Holds the namespaces until QEMU does. */
  keeper?: ChildProcess;
  slirp?: ChildProcess;
}

async function build(parts: Parts, options: EgressOptions, stop: AbortSignal): Promise<EgressNetwork> {
  const { dir } = parts;
  await chmod(dir, 0o711);
  const resolvConf = path.join(dir, 'resolv.conf');
  await writeFile(resolvConf, `nameserver ${tunnel.dns}\n`, { mode: 0o644 });
  parts.keeper = await keepNamespaces(options.account, stop);
  const join = ['nsenter', `--target=${parts.keeper.pid}`, '--user', '--net', '--preserve-credentials', '--'];
  // Before there is any way out.
  await runProgram('nsenter', [...join.slice(1), 'nft', '--file', '-'], {
    account: options.account,
    deadlineMs: startMs,
    signal: stop,
    input: egressRules(await findHostNetworks()),
  });
  const [alive, hold] = await makeHold(dir);
  parts.handles.push(alive, hold);
  parts.slirp = await attachTunnel(
    { ...options, dir, aliveFd: alive.fd, namespacesOf: parts.keeper.pid as number },
    stop,
  );
  return { join, holdFd: hold.fd, resolvConf, release: () => letGo(parts), close: () => close(parts) };
}

/** cat(1) in new namespaces: when it answers, they are there. */
async function keepNamespaces(account: Account | undefined, stop: AbortSignal): Promise<ChildProcess> {
  const keeper = spawnProgram('unshare', ['--user', '--map-root-user', '--net', '--', 'cat'], { account });
  let words = '';
  keeper.stderr?.on(
    'data',
    asText((text) => (words = `${words}${text}`.slice(-1_000))),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => reject(stop.reason as Error);
      stop.addEventListener('abort', giveUp, { once: true });
      keeper.stdin?.on('error', () => undefined).write('\n');
      keeper.stdout?.once('data', () => resolve());
      keeper.once('error', reject);
      keeper.once('close', () =>
        reject(new Error(`no user and network namespace could be made: ${words.trim() || 'unshare ended'}`)),
      );
    });
    return keeper;
  } catch (error) {
    killGroup(keeper, 0);
    throw error;
  }
}

/** A pipe by name, because Node makes none without a process at its end: the reading end sees when the writing one has no holder any more. */
async function makeHold(dir: string): Promise<[FileHandle, FileHandle]> {
  const fifo = path.join(dir, 'hold');
  await runProgram('mkfifo', ['--mode=600', fifo], { deadlineMs: 30_000 });
  const alive = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  return [alive, await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK)];
}

async function letGo({ dir, handles, keeper }: Parts): Promise<void> {
  if (keeper) killGroup(keeper, 0);
  await Promise.all(handles.splice(0).map((handle) => handle.close()));
  await rm(dir, { recursive: true, force: true });
}

async function close(parts: Parts): Promise<void> {
  await letGo(parts);
  if (parts.slirp) killGroup(parts.slirp);
}

export function asUnavailable(why: string, cause?: unknown): AppError {
  if (cause instanceof AppError) return cause;
  return guestError('hypervisor_unavailable', `A guest's network to the internet could not be made: ${why}.`, {
    hint: 'Run "openfactory doctor"; slirp4netns, nftables and iproute2 must be installed, user namespaces allowed, and /dev/net/tun there. Guests without a network do not need them.',
    cause,
  });
}
