import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { AppError } from '#libs/platform';
import { guestError } from '../guest-error.js';
import {
  Guest,
  type ClosedPort,
  type ExecuteOptions,
  type ExecuteResult,
  type GuestActivity,
  type GuestEnd,
  type GuestHelper,
  type GuestSpec,
  type InputEvent,
} from '../hypervisor.port.js';
import type { RuntimeDirectory } from './runtime-directory.js';
import type { GuestPorts } from './guest-ports.js';
import { removeRecord } from './guest-record.js';
import { toQmpEvents } from './input-events.js';
import type { NetworkBackend } from './network-backend.js';
import { cardId, diskNode, guestDir, socketNames } from './qemu-command.js';
import type { QemuProcess } from './qemu-process.js';
import type { QmpClient } from './qmp-client.js';
import type { SerialLog } from './serial-log.js';

const pngSignature = '89504e470d0a1a0a';
const pngCapBytes = 32 << 20;
const callMs = 20_000;
/** For what is still in the pipe of its serial port when it ends. */
const lastOutputMs = 1_000;

export interface QemuGuestParts {
  process: QemuProcess;
  qmp: QmpClient;
  ports: GuestPorts;
  serial: SerialLog;
  runtime: RuntimeDirectory;
  networkBackend: NetworkBackend;
  spec: GuestSpec;
}

export class QemuGuest extends Guest {
  readonly ended: Promise<GuestEnd>;
  readonly helper: GuestHelper = {
    waitUntilReady: (signal) => this.#whileItLives(this.parts.ports.helper.waitUntilReady(signal)),
    restore: (duties, deadlineMs) => this.#whileItLives(this.parts.ports.helper.restore(duties, deadlineMs)),
    type: (text) => this.#whileItLives(this.parts.ports.helper.type(text)),
    keyboard: () => this.#whileItLives(this.parts.ports.helper.keyboard()),
    sync: () => this.#whileItLives(this.parts.ports.helper.sync()),
  };
  #end: GuestEnd | undefined;
  #quitting: Promise<void> | undefined;
  #screens = new Set<Duplex>();

  constructor(private readonly parts: QemuGuestParts) {
    super();
    this.ended = parts.process.closed.then(() => this.#cleanUp());
  }

  get spec(): GuestSpec {
    return this.parts.spec;
  }

  get runtime(): RuntimeDirectory {
    return this.parts.runtime;
  }

  /** Of its QEMU, in milliseconds. */
  get cpuMs(): number {
    return this.parts.process.cpuMs();
  }

  get serialLogPath(): string {
    return this.parts.serial.path;
  }

  onPortClosed(listener: (closed: ClosedPort) => void): void {
    this.parts.ports.onClosed(listener);
  }

  activity(): GuestActivity {
    return { cpuMs: this.cpuMs, serialBytes: this.parts.serial.bytes };
  }

  serialText(): string {
    return this.parts.serial.text();
  }

  async waitForAgent(signal: AbortSignal): Promise<void> {
    await this.#whileItLives(this.parts.ports.agent.waitUntilReady(signal));
  }

  async agentVersion(): Promise<string> {
    return await this.#whileItLives(this.parts.ports.agent.version());
  }

  async execute(program: string, args: readonly string[], options: ExecuteOptions): Promise<ExecuteResult> {
    return await this.#whileItLives(this.parts.ports.agent.execute(program, args, options));
  }

  async screenshot(): Promise<Buffer> {
    const name = `screen-${randomUUID()}.png`;
    const file = this.runtime.own(name);
    try {
      await this.callQmp('screendump', { filename: `${guestDir}/${name}`, format: 'png' });
      return await readPng(file);
    } catch (error) {
      if (error instanceof AppError && error.reason === 'guest_ended') throw error;
      throw guestError('screenshot_failed', 'No screenshot of the guest could be taken.', { cause: error });
    } finally {
      await rm(file, { force: true });
    }
  }

  async sendInput(events: readonly InputEvent[]): Promise<void> {
    if (events.length > 0) await this.callQmp('input-send-event', { events: toQmpEvents(events) });
  }

  async openScreen(): Promise<Duplex> {
    if (this.#end) throw endedError(this.#end);
    const screen = await this.#whileItLives(this.runtime.connect(socketNames.screen));
    this.#screens.add(screen);
    screen.on('error', () => undefined);
    screen.once('close', () => this.#screens.delete(screen));
    return screen;
  }

  async setLink(up: boolean): Promise<void> {
    await this.callQmp('set_link', { name: cardId, up });
  }

  async pressPower(): Promise<void> {
    await this.callQmp('system_powerdown');
  }

  async snapshotDisk(name: string): Promise<void> {
    await this.callQmp('blockdev-snapshot-internal-sync', { device: diskNode, name }, 3 * callMs);
  }

  async quit(): Promise<void> {
    this.#quitting ??= this.parts.process.kill();
    await this.#quitting;
    await this.ended;
  }

  /** @throws AppError `guest_peer_failed`, `guest_ended` */
  async callQmp(command: string, args: Record<string, unknown> = {}, deadlineMs = callMs): Promise<unknown> {
    return await this.#whileItLives(this.parts.qmp.call(command, args, deadlineMs));
  }

  /** A guest that ends makes every call fail at once, and for its true reason. */
  async #whileItLives<T>(work: Promise<T>): Promise<T> {
    const gone = this.ended.then((end) => Promise.reject(endedError(end)));
    gone.catch(() => undefined);
    try {
      return await Promise.race([work, gone]);
    } catch (error) {
      // The connection often breaks a moment before the process is seen to end.
      if (error instanceof AppError && error.reason === 'guest_peer_failed')
        await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
      if (this.#end) throw endedError(this.#end);
      throw error;
    }
  }

  async #cleanUp(): Promise<GuestEnd> {
    const { process, qmp, ports, serial, runtime, networkBackend, spec } = this.parts;
    qmp.close();
    ports.close();
    for (const screen of this.#screens) screen.destroy();
    await Promise.race([serial.done, new Promise((resolve) => setTimeout(resolve, lastOutputMs).unref())]);
    await networkBackend.close().catch(() => undefined);
    await removeRecord(spec.workDir);
    await runtime.remove();
    if (this.#quitting) this.#end = { why: 'quit', detail: 'it was ended' };
    else if (process.endedWell)
      this.#end = { why: 'powered_off', detail: 'it switched itself off, or would have started again' };
    else this.#end = { why: 'failed', detail: process.lastWords() };
    return this.#end;
  }
}

const endedError = ({ detail }: GuestEnd) => guestError('guest_ended', `The guest is gone: ${detail}.`);

/** QEMU wrote it, and a guest might have taken QEMU over: no link, no pipe, no file without end. */
async function readPng(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size, nlink } = await handle.stat().then((found) => (found.isFile() ? found : { size: -1, nlink: 0 }));
    if (size < 0 || nlink !== 1 || size > pngCapBytes) throw new Error('what QEMU left is no picture');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    const png = buffer.subarray(0, bytesRead);
    if (png.subarray(0, 8).toString('hex') !== pngSignature) throw new Error('what QEMU left is no PNG');
    return png;
  } finally {
    await handle.close();
  }
}
