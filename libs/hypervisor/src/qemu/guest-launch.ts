import { constants, closeSync, openSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { AppError, type Account } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { Acceleration, GuestShape, GuestSpec } from '../hypervisor.port.js';
import { infoDescriptor, spawnConfined } from './confinement.js';
import { guestAccount } from './guest-account.js';
import { diskBinds, fillRuntimeDirectory, RuntimeDirectory } from './runtime-directory.js';
import { GuestPorts, type PortsMemory } from './guest-ports.js';
import { removeRecord, writeRecord, type GuestRecord } from './guest-record.js';
import type { HostProcessors } from './host-processors.js';
import { openNetworkBackend, type NetworkBackend } from './network-backend.js';
import {
  addressBytes,
  guestArguments,
  processCount,
  qemuProgram,
  seen,
  socketNames,
  type GuestPlan,
} from './qemu-command.js';
import { QemuGuest } from './qemu-guest.js';
import { QemuProcess, type GuestProcesses } from './qemu-process.js';
import { diskSize } from './qcow2-header.js';
import { qemuVersion, threadsOf } from './qemu-version.js';
import { QmpClient } from './qmp-client.js';
import { SerialLog } from './serial-log.js';

export const callMs = 20_000;

/** The saved state that a clone goes on from. */
export interface SavedState {
  /** The file of its memory, which every clone maps and none changes. */
  memoryPath: string;
  /** Open, at its beginning. */
  state: FileHandle;
}

export interface Launch {
  spec: GuestSpec;
  acceleration: Acceleration['kind'];
  /** The guest takes its share of them. */
  host: HostProcessors;
  saved?: SavedState;
  /** With all sockets connected and out of its reach: sets the guest going. */
  begin: (qmp: QmpClient) => Promise<void>;
  signal: AbortSignal;
}

export const shapeOf = ({ memoryMb, vcpus, firmware, network, diskPath }: GuestSpec): GuestShape => ({
  memoryMb,
  vcpus,
  firmware,
  network,
  disk: diskPath !== undefined,
});

/** @throws AppError `hypervisor_unavailable`, or the signal's reason; nothing is left then */
export async function launch(order: Launch): Promise<QemuGuest> {
  const { spec, signal, begin, host } = order;
  signal.throwIfAborted();
  checkSpec(spec);
  const share = host.take(spec.vcpus);
  const undo: (() => unknown)[] = [() => share.release()];
  let qemu: QemuProcess | undefined;
  const onAbort = () => void qemu?.kill();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const account = await guestAccount(spec.uidIndex);
    const runtime = await RuntimeDirectory.make(spec.workDir, account);
    undo.push(() => runtime.remove());
    await fillRuntimeDirectory(runtime, spec, account);
    const networkBackend = await openNetworkBackend(
      spec.network,
      { account, workDir: spec.workDir, survives: spec.survives ?? false, processors: share.processors },
      signal,
    );
    undo.push(() => networkBackend.close());
    signal.throwIfAborted();
    const started = await spawnQemu(order, { runtime, networkBackend, account, processors: share.processors });
    qemu = started.qemu;
    const serialLog = `serial-${runtime.name.slice('guest-'.length)}.log`;
    const processes = await findProcesses(qemu, started.info);
    const record: GuestRecord = { spec, processes, place: runtime.name, serialLog, closedPorts: [] };
    // A disk takes its time for it; so does QEMU for its start.
    const recorded = spec.survives ? writeRecord(record) : Promise.resolve();
    recorded.catch(() => undefined);
    undo.push(() => recorded.catch(() => undefined).then(() => removeRecord(spec.workDir)));
    const qmp = await connectQmp(await runtime.connectFirst(socketNames.qmp, qemu, signal), qemu);
    const serial = new SerialLog(await runtime.connect(socketNames.serial), path.join(spec.workDir, serialLog));
    const ports = await GuestPorts.open(runtime, memoryIn(record));
    await runtime.seal(account);
    await networkBackend.ready();
    await recorded;
    await begin(qmp);
    signal.throwIfAborted();
    void qemu.closed.then(() => share.release());
    return new QemuGuest({ process: qemu, qmp, ports, serial, runtime, networkBackend, spec });
  } catch (error) {
    await qemu?.kill();
    for (const step of undo.reverse()) await step();
    signal.throwIfAborted();
    throw asUnavailable(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Of a guest that another factory may take over. */
export function memoryIn(record: GuestRecord): PortsMemory {
  return {
    closed: record.closedPorts,
    remember: async (closedPorts) => void (record.spec.survives && (await writeRecord({ ...record, closedPorts }))),
  };
}

/** To a QEMU whose guest may end by itself, which its events tell. One that floods us with them is ended: nobody could lead it any more. */
export async function connectQmp(
  socket: Parameters<typeof QmpClient.connect>[0],
  qemu: QemuProcess,
): Promise<QmpClient> {
  const onFlood = ({ message }: Error) => void qemu.endFor(message);
  return await QmpClient.connect(socket, {
    onFlood,
    onEvent: ({ name, data }) => void (name === 'SHUTDOWN' && data.guest === true && qemu.noteShutdown()),
    deadlineMs: callMs,
  });
}

interface Surroundings {
  runtime: RuntimeDirectory;
  networkBackend: NetworkBackend;
  account: Account | undefined;
  processors: readonly number[];
}

async function spawnQemu(
  { spec, acceleration, saved }: Launch,
  { runtime, networkBackend, account, processors }: Surroundings,
): Promise<{ qemu: QemuProcess; info: Readable }> {
  const shape = shapeOf(spec);
  const disk = spec.diskPath === undefined ? { writable: {}, readOnly: {} } : await diskBinds(spec.diskPath);
  const descriptors: number[] = [];
  const inherited = (fd: number) => infoDescriptor + descriptors.push(fd);
  const output = openSync(runtime.logPath, 'ax', 0o600);
  let iso: number | undefined;
  try {
    // By descriptor: the account of the guest need not be able to read the image, nor to reach it.
    if (spec.isoPath !== undefined)
      iso = openSync(spec.isoPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const plan: GuestPlan = {
      ...{
        shape,
        acceleration,
        threads: threadsOf(await qemuVersion()),
        name: runtime.name,
        networkBackend: networkBackend.netdev,
        endsOnReset: spec.onReset !== 'restart',
        isClone: saved !== undefined,
      },
      ...(saved && { memory: { path: seen.sharedMemory, isOwn: false } }),
      ...(!saved && spec.savable && { memory: { path: seen.ownMemory, isOwn: true } }),
    };
    const isClone = saved && inherited(saved.state.fd);
    if (isClone !== undefined && isClone !== stateDescriptor)
      throw new Error('the saved state is not the first descriptor');
    if (iso !== undefined) plan.isoDescriptor = inherited(iso);
    if (networkBackend.holdFd !== undefined) inherited(networkBackend.holdFd);
    const confinement = {
      writable: { ...runtime.writable, ...disk.writable, ...(saved && { [saved.memoryPath]: seen.sharedMemory }) },
      readOnly: { ...disk.readOnly, ...networkBackend.readOnly },
      ...(networkBackend.join && { join: networkBackend.join }),
      ...{ kvm: acceleration === 'kvm', addressBytes: addressBytes(shape), processors },
      ...(spec.uidIndex !== undefined && { processes: processCount(shape) }),
      ...(spec.diskPath !== undefined && { fileBytes: roomFor(await diskSize(spec.diskPath)) }),
    };
    const child = spawnConfined(qemuProgram, guestArguments(plan), confinement, {
      ...(account && { account }),
      survives: spec.survives ?? false,
      inherit: ['pipe', ...descriptors],
      output,
    });
    return {
      qemu: QemuProcess.ofChild(child, openSync(runtime.logPath, 'r')),
      info: child.stdio[infoDescriptor] as Readable,
    };
  } finally {
    closeSync(output);
    if (iso !== undefined) closeSync(iso);
  }
}

/** Where a clone's QEMU finds its saved state: behind the pipe for bwrap's information. */
export const stateDescriptor = infoDescriptor + 1;

/** A disk with some snapshots in it, each as large as the disk at most. */
const roomFor = (bytes: number) => 8 * bytes + 2 ** 30;

async function findProcesses(qemu: QemuProcess, info: Readable): Promise<GuestProcesses> {
  let words = '';
  info.on('error', () => undefined);
  // To its end: bwrap must not find its pipe broken.
  for await (const text of info.setEncoding('utf8')) words += text as string;
  const found = qemu.found(Number(/"child-pid": *(\d+)/.exec(words)?.[1]));
  if (found) return found;
  await qemu.closed;
  throw guestError('hypervisor_unavailable', `QEMU did not start: ${qemu.lastWords()}.`, {
    hint: 'Run "openfactory doctor".',
  });
}

function checkSpec({ memoryMb, vcpus }: GuestSpec): void {
  const isWithin = (value: number, most: number) => Number.isSafeInteger(value) && value >= 1 && value <= most;
  if (!isWithin(memoryMb, 1 << 20) || !isWithin(vcpus, 255))
    throw new AppError({
      kind: 'internal',
      reason: 'guest_spec_invalid',
      message: 'Memory and processors of a guest are whole numbers of at least one.',
    });
}

export function asUnavailable(error: unknown): unknown {
  if (error instanceof AppError && error.reason !== 'guest_peer_failed') return error;
  return guestError('hypervisor_unavailable', 'The virtual machine could not be started.', {
    hint: 'Run "openfactory doctor".',
    cause: error,
  });
}
