import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, mkdtemp, open, stat, type FileHandle } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { discardTree, hostTimeout, type Account } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { GuestSpec } from '../hypervisor.port.js';
import { firmware, guestDir, seen, socketDir } from './qemu-command.js';

export const runtimePrefix = 'guest-';
/** In a place, what QEMU sees as `guestDir`. */
export const ownName = 'own';
const pollMs = 3;

/**
 * A guest's directory on the host, itself the factory's: `own`, which QEMU may write, and `sockets`, which it may write until it listens on them.
 * From then on no name that the factory opens there can have become another's.
 */
export class RuntimeDirectory {
  private constructor(
    readonly dir: string,
    private readonly sockets: FileHandle,
  ) {}

  static async make(workDir: string, account: Account | undefined): Promise<RuntimeDirectory> {
    const dir = await mkdtemp(path.join(workDir, runtimePrefix));
    for (const name of [ownName, 'sockets']) {
      await mkdir(path.join(dir, name), { mode: 0o700 });
      if (account) await chown(path.join(dir, name), account.uid, account.gid);
    }
    if (account) await chmod(dir, 0o711);
    return await RuntimeDirectory.open(dir);
  }

  static async open(dir: string): Promise<RuntimeDirectory> {
    return new RuntimeDirectory(
      dir,
      await open(path.join(dir, 'sockets'), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW),
    );
  }

  /** Also what QMP calls the guest. */
  get name(): string {
    return path.basename(this.dir);
  }

  get writable(): Record<string, string> {
    return { [this.own()]: guestDir, [path.join(this.dir, 'sockets')]: socketDir };
  }

  /** The host's name of a file that QEMU may write. */
  own(name = ''): string {
    return path.join(this.dir, ownName, name);
  }

  get logPath(): string {
    return path.join(this.dir, 'qemu.log');
  }

  /** Short, however long the directory's: a socket's path has 107 bytes at most (unix(7)). */
  socketPath(name: string): string {
    return `/proc/self/fd/${this.sockets.fd}/${name}`;
  }

  /** Where the factory is not root, QEMU's account is its own, and this changes nothing. */
  async seal(account: Account | undefined): Promise<void> {
    if (!account) return;
    await this.sockets.chown(process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    await this.sockets.chmod(0o711);
  }

  /** @throws AppError `guest_peer_failed` */
  async connect(name: string): Promise<Socket> {
    const socket = await connectOnce(this.socketPath(name));
    if (!socket) throw guestError('guest_peer_failed', `The guest's ${name} takes no connection.`);
    return socket;
  }

  /** Connects to a socket that QEMU makes while it starts. @throws AppError `hypervisor_unavailable` when it ends first, or takes too long */
  async connectFirst(
    name: string,
    qemu: { hasEnded: boolean; lastWords: () => string },
    signal: AbortSignal,
    deadlineMs = 20_000,
  ): Promise<Socket> {
    const patience = hostTimeout(deadlineMs);
    try {
      return await this.#untilConnected(name, qemu, { signal, late: patience.signal });
    } finally {
      patience.stop();
    }
  }

  async #untilConnected(
    name: string,
    qemu: { hasEnded: boolean; lastWords: () => string },
    { signal, late }: { signal: AbortSignal; late: AbortSignal },
  ): Promise<Socket> {
    for (;;) {
      signal.throwIfAborted();
      if (qemu.hasEnded)
        throw guestError('hypervisor_unavailable', `QEMU did not start: ${qemu.lastWords()}.`, {
          hint: 'Run "openfactory doctor".',
        });
      const socket = await connectOnce(this.socketPath(name));
      if (socket) return socket;
      if (late.aborted)
        throw guestError('hypervisor_unavailable', `QEMU did not open its ${name} in time: ${qemu.lastWords()}.`, {
          cause: late.reason,
        });
      await sleep(pollMs);
    }
  }

  async close(): Promise<void> {
    await this.sockets.close().catch(() => undefined);
  }

  async remove(): Promise<void> {
    await this.close();
    await discardTree(this.dir);
  }
}

/** What QEMU finds in its directory: the firmware's variables, a copy of the guest's own, and the file that is its memory. */
export async function fillRuntimeDirectory(
  runtime: RuntimeDirectory,
  { firmware: kind, savable, memoryMb, diskPath }: GuestSpec,
  account: Account | undefined,
): Promise<void> {
  if (kind === 'uefi') {
    const variables = runtime.own(path.basename(seen.variables));
    await copyFile(firmware.variables, variables, constants.COPYFILE_EXCL);
    await chmod(variables, 0o600);
    if (account) await chown(variables, account.uid, account.gid);
  }
  if (savable) {
    const memory = await open(runtime.own(path.basename(seen.ownMemory)), 'wx', 0o600);
    try {
      await memory.truncate(memoryMb * 2 ** 20);
      if (account) await memory.chown(account.uid, account.gid);
    } finally {
      await memory.close();
    }
  }
  if (diskPath !== undefined) await giveDisk(diskPath, account);
}

/** The uid index of a machine is another one each time it starts: its disk follows. */
async function giveDisk(diskPath: string, account: Account | undefined): Promise<void> {
  const disk = await open(diskPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await disk.stat()).isFile()) throw new Error('the disk is no file');
    await disk.chmod(0o600);
    if (account) await disk.chown(account.uid, account.gid);
  } finally {
    await disk.close();
  }
}

/** What stands beside a disk and under it. */
export const baseOf = (diskPath: string): string => path.join(path.dirname(diskPath), path.basename(seen.base));

/** Host file -> where QEMU sees it. */
export async function diskBinds(
  diskPath: string,
): Promise<{ writable: Record<string, string>; readOnly: Record<string, string> }> {
  const base = baseOf(diskPath);
  const hasBase = await stat(base).then(
    () => true,
    () => false,
  );
  return { writable: { [diskPath]: seen.disk }, readOnly: hasBase ? { [base]: seen.base } : {} };
}

function connectOnce(place: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(place);
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
