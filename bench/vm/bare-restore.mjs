// The same QEMU, with the same arguments, taking up the same saved state, and nothing of the product around it: no namespaces, no accounts, no look at the files.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { copyFile, link, mkdir, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestAgentClient } from '../../dist/libs/hypervisor/src/qemu/guest-agent-client.js';
import {
  guestArguments,
  qemuProgram,
  seen,
  socketDir,
  socketNames,
} from '../../dist/libs/hypervisor/src/qemu/qemu-command.js';
import { QmpClient } from '../../dist/libs/hypervisor/src/qemu/qmp-client.js';
import { goOn } from '../../dist/libs/hypervisor/src/qemu/qemu-snapshots.js';
import { stateDescriptor } from '../../dist/libs/hypervisor/src/qemu/guest-launch.js';

const isoDescriptor = stateDescriptor + 1;

/**
 * @param {{snapshotDir: string, isoPath: string, dir: string, shape: object, acceleration: string, threads: string}} what `dir` must not exist, and lies on the file system of the snapshot
 * @returns milliseconds from the start of QEMU until the agent answered, and its private memory in MiB
 */
export async function bareRestore({ snapshotDir, isoPath, dir, shape, acceleration, threads }) {
  await mkdir(path.join(dir, 'sockets'), { recursive: true });
  await link(path.join(snapshotDir, 'disk.qcow2'), path.join(dir, 'base.qcow2'));
  await copyFile(path.join(snapshotDir, 'overlay.qcow2'), path.join(dir, 'disk.qcow2'));
  const places = {
    [socketDir]: path.join(dir, 'sockets'),
    [seen.disk]: path.join(dir, 'disk.qcow2'),
    [seen.sharedMemory]: path.join(snapshotDir, 'memory'),
  };
  const plan = {
    shape,
    acceleration,
    threads,
    name: 'bare',
    networkBackend: { type: 'hubport', hubid: 0 },
    isClone: true,
    endsOnReset: false,
    isoDescriptor,
    memory: { path: seen.sharedMemory, isOwn: false },
  };
  const args = guestArguments(plan).map((word) =>
    Object.entries(places).reduce(
      (text, [from, to]) =>
        text.replaceAll(`"${from}"`, `"${to}"`).replaceAll(`=${from}/`, `=${to}/`).replaceAll(`:${from}/`, `:${to}/`),
      word,
    ),
  );
  const files = [path.join(snapshotDir, 'state'), isoPath].map((file) => openSync(file, 'r'));
  const began = performance.now();
  const qemu = spawn(qemuProgram, args, { stdio: ['ignore', 'ignore', 'pipe', 'ignore', ...files] });
  for (const file of files) closeSync(file);
  let words = '';
  qemu.stderr.on('data', (chunk) => (words += String(chunk)));
  const ended = new Promise((resolve) => qemu.once('close', resolve));
  try {
    const socket = (name) =>
      connected(path.join(dir, 'sockets', name), () => qemu.exitCode !== null && `QEMU ended: ${words}`);
    const qmp = await QmpClient.connect(await socket(socketNames.qmp));
    const agent = new GuestAgentClient(await socket(socketNames.agent));
    await goOn(qmp, undefined);
    await agent.waitUntilReady(new AbortController().signal);
    const ms = performance.now() - began;
    const privateMb = privateKb(await readFile(`/proc/${qemu.pid}/smaps_rollup`, 'utf8')) / 1024;
    agent.close();
    qmp.close();
    return { ms, privateMb };
  } finally {
    qemu.kill('SIGKILL');
    await ended;
    await rm(dir, { recursive: true, force: true });
  }
}

/** Memory that no other process shares (proc(5)). */
export const privateKb = (rollup) =>
  [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce((sum, [, size]) => sum + Number(size), 0);

async function connected(place, whyNot) {
  for (;;) {
    const socket = await new Promise((resolve) => {
      const one = createConnection(place);
      one.once('error', () => resolve(undefined));
      one.once('connect', () => resolve(one.removeAllListeners('error')));
    });
    if (socket) return socket;
    const why = whyNot();
    if (why) throw new Error(why);
    await sleep(3);
  }
}
