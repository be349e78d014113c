import { constants } from 'node:fs';
import { chmod, chown, copyFile, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostTimeout, hostTooSlow, removeTree, runProgram } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { sharedGroup } from './guest-account.js';
import { callMs, shapeOf, stateDescriptor } from './guest-launch.js';
import { baseOf } from './runtime-directory.js';
import { untilAtRest } from './at-rest.js';
import { diskSize } from './qcow2-header.js';
import { hasCard, seen, socketDir, socketNames } from './qemu-command.js';
import type { QemuGuest } from './qemu-guest.js';
import type { QmpClient } from './qmp-client.js';
import { describeSnapshot, snapshotFiles, trustSnapshot } from './snapshot-files.js';
import { StateReceiver } from './state-receiver.js';

const saveMs = 120_000;
const restoreMs = 60_000;
const pollMs = 3;
/** The default of 128 MiB/s is for networks. */
const bytesPerSecond = 2 ** 40;
/** Memory is a file that both sides have: it is no part of the state (QEMU, migrate_ignore_shared). */
const capabilities = { capabilities: [{ capability: 'x-ignore-shared', state: true }] };

/** @throws Error; the guest is ended either way, and nothing is left of half a snapshot */
export async function saveGuest(guest: QemuGuest, snapshotDir: string, fingerprint: string): Promise<void> {
  const partial = `${snapshotDir}.partial`;
  const { diskPath } = guest.spec;
  if (!guest.spec.savable) throw guestError('snapshot_failed', 'The guest was not started to be saved.');
  if (diskPath !== undefined && (await exists(baseOf(diskPath))))
    throw guestError('snapshot_failed', 'The guest is itself the clone of a snapshot, whose disk its own stands on.');
  if (await exists(snapshotDir)) throw guestError('snapshot_failed', 'There is a snapshot at this place already.');
  try {
    await removeTree(partial);
    await mkdir(partial, { mode: 0o711 });
    // Clones begin unplugged: that they are is no news to them then.
    if (hasCard(shapeOf(guest.spec))) await guest.setLink(false);
    await untilAtRest(() => guest.cpuMs);
    await sendState(guest, path.join(partial, snapshotFiles.state));
    await rename(guest.runtime.own(path.basename(seen.ownMemory)), path.join(partial, snapshotFiles.memory));
    await guest.quit();
    if (diskPath !== undefined) await keepDisk(diskPath, partial);
    await share(path.join(partial, snapshotFiles.memory), 0o660);
    const record = await describeSnapshot(partial, fingerprint);
    await writeWhole(path.join(partial, snapshotFiles.record), JSON.stringify(record));
    for (const written of [path.join(partial, snapshotFiles.memory), partial]) await flush(written);
    await rename(partial, snapshotDir);
    trustSnapshot(snapshotDir, record);
    await flush(path.dirname(snapshotDir));
  } catch (error) {
    await guest.quit();
    await removeTree(partial);
    throw error;
  }
}

async function sendState(guest: QemuGuest, file: string): Promise<void> {
  await guest.callQmp('stop');
  await guest.callQmp('migrate-set-capabilities', capabilities);
  await guest.callQmp('migrate-set-parameters', { 'max-bandwidth': bytesPerSecond });
  const receiver = await StateReceiver.listen(guest.runtime, file);
  try {
    await guest.callQmp('migrate', { uri: `unix:${socketDir}/${socketNames.state}` });
    await untilStatus(() => guest.callQmp('query-migrate'), {
      good: ['completed'],
      bad: ['failed', 'cancelled'],
      deadlineMs: saveMs,
    });
    await receiver.received;
  } finally {
    await receiver.close();
  }
}

/** The disk itself, and the empty layer over it with which each clone begins: the same for all, so that starting one needs no program. */
async function keepDisk(diskPath: string, dir: string): Promise<void> {
  const disk = path.join(dir, snapshotFiles.disk);
  const sizeBytes = await diskSize(diskPath);
  await rename(diskPath, disk);
  await share(disk, 0o640);
  await runProgram(
    'qemu-img',
    [
      'create',
      '-q',
      '-u',
      '-f',
      'qcow2',
      '-F',
      'qcow2',
      '-b',
      path.basename(seen.base),
      path.join(dir, snapshotFiles.overlay),
      String(sizeBytes),
    ],
    { deadlineMs: 60_000 },
  );
  for (const file of [disk, path.join(dir, snapshotFiles.overlay)]) await flush(file);
}

/**
 * All clones map the memory and read the disk. QEMU 7.2 opens memory for writing although it maps a private copy: a clone that breaks out of QEMU
 * could change it for the next ones of this snapshot, which its mark would show (snapshot-files.ts).
 */
async function share(file: string, mode: number): Promise<void> {
  const group = await sharedGroup();
  if (group !== undefined) await chown(file, process.getuid?.() ?? 0, group);
  await chmod(file, group === undefined ? 0o600 : mode);
}

/** Makes the clone's disk over the snapshot's, which lives on under a second name when the snapshot is removed. */
export async function layDisk(snapshotDir: string, diskPath: string): Promise<void> {
  await rm(baseOf(diskPath), { force: true });
  await link(path.join(snapshotDir, snapshotFiles.disk), baseOf(diskPath));
  await copyFile(path.join(snapshotDir, snapshotFiles.overlay), diskPath, constants.COPYFILE_EXCL);
}

/** In a QEMU that waits for it: takes up the state, and goes on where it was saved, its link down. */
export async function goOn(qmp: QmpClient, card: string | undefined): Promise<void> {
  // One after the other, as they are sent, and not each after an answer.
  await Promise.all([
    qmp.call('migrate-set-capabilities', capabilities, callMs),
    // A guest that was moved tells its network five times; a clone has none yet, and its services would hear of it each time.
    qmp.call('migrate-set-parameters', { 'announce-rounds': 0 }, callMs),
    qmp.call('migrate-incoming', { uri: `fd:${stateDescriptor}` }, callMs),
  ]);
  await untilStatus(() => qmp.call('query-status', {}, restoreMs), {
    good: ['paused'],
    bad: ['internal-error', 'shutdown', 'guest-panicked'],
    deadlineMs: restoreMs,
  });
  if (card !== undefined) await qmp.call('set_link', { name: card, up: false }, callMs);
  await qmp.call('cont', {}, callMs);
}

async function untilStatus(
  ask: () => Promise<unknown>,
  { good, bad, deadlineMs }: { good: string[]; bad: string[]; deadlineMs: number },
): Promise<void> {
  const patience = hostTimeout(deadlineMs);
  try {
    for (;;) {
      const { status } = (await ask()) as { status?: string };
      if (status !== undefined && good.includes(status)) return;
      if (status !== undefined && bad.includes(status)) throw new Error(`QEMU says "${status}"`);
      if (patience.signal.aborted) throw hostTooSlow(`QEMU did not come to an end within ${deadlineMs / 1000} s.`);
      await sleep(pollMs);
    }
  } finally {
    patience.stop();
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );
