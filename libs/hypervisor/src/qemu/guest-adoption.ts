import { openSync } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { discardTree } from '#libs/platform';
import { connectQmp, memoryIn } from './guest-launch.js';
import { RuntimeDirectory, ownName, runtimePrefix } from './runtime-directory.js';
import { GuestPorts } from './guest-ports.js';
import { readRecord, removeRecord, type GuestRecord } from './guest-record.js';
import { processorsOf, type HostProcessors } from './host-processors.js';
import { openedByOthers } from './network-backend.js';
import { identify, isAlive, signalProcess, untilGone } from './process-identity.js';
import { guestDir, socketNames } from './qemu-command.js';
import { QemuGuest } from './qemu-guest.js';
import { QemuProcess } from './qemu-process.js';
import type { QmpClient } from './qmp-client.js';
import { SerialLog } from './serial-log.js';

const callMs = 20_000;

/** The guest that was left running in this directory, where everything agrees that it is that guest; else nothing of one is left there. */
export async function adoptGuest(workDir: string, host: HostProcessors): Promise<QemuGuest | undefined> {
  const record = await readRecord(workDir);
  const guest = record && (await takeOver(record, host).catch(() => undefined));
  if (!guest) await clearAway(workDir);
  return guest;
}

async function takeOver(record: GuestRecord, host: HostProcessors): Promise<QemuGuest | undefined> {
  const { spec, processes, place: name, serialLog } = record;
  if (!isAlive(processes.qemu)) return undefined;
  const runtime = await RuntimeDirectory.open(path.join(spec.workDir, name));
  let qmp: QmpClient | undefined;
  try {
    const process = QemuProcess.ofOthers(processes, openSync(runtime.logPath, 'r'));
    qmp = await connectQmp(await runtime.connect(socketNames.qmp), process);
    const [named, status] = (await Promise.all([
      qmp.call('query-name', {}, callMs),
      qmp.call('query-status', {}, callMs),
    ])) as [{ name?: unknown }, { running?: unknown }];
    // One that stands still was being started, restored or saved by a factory that did not come to the end of it.
    if (named.name !== name || status.running !== true)
      throw new Error('it is not the guest that was recorded, or does not run');
    const serial = new SerialLog(
      await runtime.connect(socketNames.serial),
      path.join(spec.workDir, serialLog),
      undefined,
      { goesOn: true },
    );
    const ports = await GuestPorts.open(runtime, memoryIn(record));
    const share = host.note(processorsOf(processes.qemu.pid));
    void process.closed.then(() => share.release());
    return new QemuGuest({ process, qmp, ports, serial, runtime, networkBackend: openedByOthers, spec });
  } catch (error) {
    qmp?.close();
    await runtime.close();
    throw error;
  }
}

async function clearAway(workDir: string): Promise<void> {
  const places = (await readdir(workDir).catch(() => []))
    .filter((name) => name.startsWith(runtimePrefix))
    .map((name) => path.join(workDir, name));
  for (const pid of await guestProcesses(workDir, places)) {
    const identity = identify(pid);
    if (!identity) continue;
    signalProcess(identity, 'SIGKILL');
    await untilGone(identity, 5);
  }
  await removeRecord(workDir);
  for (const runtime of places) await discardTree(runtime);
}

/** Those that have one of these places of this directory: a factory may have been killed before it wrote down which they are. */
async function guestProcesses(workDir: string, places: readonly string[]): Promise<number[]> {
  const owns = new Set(
    (await Promise.all(places.map((place) => fileOf(path.join(place, ownName))))).filter((file) => file !== undefined),
  );
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  // By the directory itself: the names of another factory's guests may be the same, and bwrap has not mounted it at once.
  const isOne = async (pid: string) =>
    owns.has((await fileOf(`/proc/${pid}/root${guestDir}`)) ?? '') ||
    ((await read(pid, 'comm')).trim() === 'bwrap' &&
      (await read(pid, 'cmdline')).includes(`${workDir}/${runtimePrefix}`));
  const found = await Promise.all(pids.map(async (pid) => ((await isOne(pid)) ? [Number(pid)] : [])));
  return found.flat();
}

/** Which it is, by whatever name. Undefined: there is none, or not for us to see. */
async function fileOf(place: string): Promise<string | undefined> {
  const found = await lstat(place).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}
