import { openSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { GuestAgentClient } from './guest-agent-client.js';
import { GuestHelperClient } from './guest-helper-client.js';
import { connectQmp } from './guest-launch.js';
import { GuestPlace, placePrefix } from './guest-place.js';
import { readRecord, removeRecord, type GuestRecord } from './guest-record.js';
import { pluggedByOthers } from './network-cable.js';
import { identify, isAlive, signalProcess, untilGone } from './process-identity.js';
import { socketNames } from './qemu-command.js';
import { QemuGuest } from './qemu-guest.js';
import { QemuProcess } from './qemu-process.js';
import type { QmpClient } from './qmp-client.js';
import { SerialLog } from './serial-log.js';

const callMs = 5_000;

/** The guest that was left running in this directory, where everything agrees that it is that guest; else nothing of one is left there. */
export async function adoptGuest(workDir: string): Promise<QemuGuest | undefined> {
  const record = await readRecord(workDir);
  const guest = record && (await takeOver(record).catch(() => undefined));
  if (!guest) await clearAway(workDir);
  return guest;
}

async function takeOver({ spec, processes, place: name, serialLog }: GuestRecord): Promise<QemuGuest | undefined> {
  if (!isAlive(processes.qemu)) return undefined;
  const place = await GuestPlace.open(path.join(spec.workDir, name));
  let qmp: QmpClient | undefined;
  try {
    const process = QemuProcess.ofOthers(processes, openSync(place.logPath, 'r'));
    qmp = await connectQmp(await place.connect(socketNames.qmp), process);
    const [named, status] = (await Promise.all([qmp.call('query-name', {}, callMs), qmp.call('query-status', {}, callMs)])) as [{ name?: unknown }, { running?: unknown }];
    // One that stands still was being started, restored or saved by a factory that did not come to the end of it.
    if (named.name !== name || status.running !== true) throw new Error('it is not the guest that was recorded, or does not run');
    const serial = new SerialLog(await place.connect(socketNames.serial), path.join(spec.workDir, serialLog), undefined, { goesOn: true });
    const agent = new GuestAgentClient(await place.connect(socketNames.agent));
    const helper = new GuestHelperClient(await place.connect(socketNames.helper));
    return new QemuGuest({ process, qmp, agent, helper, serial, place, cable: pluggedByOthers, spec });
  } catch (error) {
    qmp?.close();
    await place.close();
    throw error;
  }
}

async function clearAway(workDir: string): Promise<void> {
  for (const pid of await guestProcesses(workDir)) {
    const identity = identify(pid);
    if (!identity) continue;
    signalProcess(identity, 'SIGKILL');
    await untilGone(identity, 5);
  }
  await removeRecord(workDir);
  for (const name of await readdir(workDir).catch(() => [])) if (name.startsWith(placePrefix)) await rm(path.join(workDir, name), { recursive: true, force: true });
}

/**
 * Those that see a guest's directory of this one: a factory may have been killed before it wrote down which they are. The mounts of a process
 * (proc_pid_mountinfo(5)) name the directory below the root of its file system, so only its last part is sure; machines have names of their own.
 */
async function guestProcesses(workDir: string): Promise<number[]> {
  const sign = `/${path.basename(workDir)}/${placePrefix}`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const isOne = async (pid: string) => (await read(pid, 'mountinfo')).includes(sign) || ((await read(pid, 'comm')).trim() === 'bwrap' && (await read(pid, 'cmdline')).includes(`${workDir}/${placePrefix}`));
  const found = await Promise.all(pids.map(async (pid) => ((await isOne(pid)) ? [Number(pid)] : [])));
  return found.flat();
}
