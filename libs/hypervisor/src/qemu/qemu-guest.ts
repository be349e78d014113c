import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { Guest, type ExecuteOptions, type ExecuteResult, type GuestEnd, type GuestHelper } from '../hypervisor.port.js';
import { guestDir } from './confinement.js';
import type { GuestAgentClient } from './guest-agent-client.js';
import type { GuestHelperClient } from './guest-helper-client.js';
import type { QemuProcess } from './qemu-process.js';
import type { QmpClient } from './qmp-client.js';
import type { SerialLog } from './serial-log.js';

const pngSignature = '89504e470d0a1a0a';
const pngCapBytes = 32 << 20;

export interface QemuGuestParts {
  process: QemuProcess;
  qmp: QmpClient;
  agent: GuestAgentClient;
  helper: GuestHelperClient;
  serial: SerialLog;
  /** The host's name of what QEMU sees as `guestDir`. */
  dir: string;
}

export class QemuGuest extends Guest {
  readonly ended: Promise<GuestEnd>;
  readonly helper: GuestHelper = {
    waitUntilReady: (signal) => this.#whileItLives(this.parts.helper.waitUntilReady(signal)),
    restore: (duties, deadlineMs) => this.#whileItLives(this.parts.helper.restore(duties, deadlineMs)),
    type: (text) => this.#whileItLives(this.parts.helper.type(text)),
    sync: () => this.#whileItLives(this.parts.helper.sync()),
  };
  #end: GuestEnd | undefined;
  #quitting: Promise<void> | undefined;

  constructor(private readonly parts: QemuGuestParts) {
    super();
    this.ended = parts.process.closed.then(() => this.#cleanUp());
  }

  get serialLogPath(): string {
    return this.parts.serial.path;
  }

  serialText(): string {
    return this.parts.serial.text();
  }

  async waitForAgent(signal: AbortSignal): Promise<{ version: string }> {
    return await this.#whileItLives(this.parts.agent.waitUntilReady(signal));
  }

  async execute(program: string, args: readonly string[], options: ExecuteOptions): Promise<ExecuteResult> {
    return await this.#whileItLives(this.parts.agent.execute(program, args, options));
  }

  async screenshot(): Promise<Buffer> {
    const name = `screen-${randomUUID()}.png`;
    const file = path.join(this.parts.dir, name);
    try {
      await this.#whileItLives(this.parts.qmp.call('screendump', { filename: `${guestDir}/${name}`, format: 'png' }, 20_000));
      return await readPng(file);
    } catch (error) {
      if (error instanceof AppError && error.reason === 'guest_ended') throw error;
      throw guestError('screenshot_failed', 'No screenshot of the guest could be taken.', { cause: error });
    } finally {
      await rm(file, { force: true });
    }
  }

  async quit(): Promise<void> {
    this.#quitting ??= this.parts.process.kill();
    await this.#quitting;
    await this.ended;
  }

  /** A guest that ends makes every call fail at once, and for its true reason. */
  async #whileItLives<T>(work: Promise<T>): Promise<T> {
    const gone = this.ended.then((end) => Promise.reject(endedError(end)));
    gone.catch(() => undefined);
    try {
      return await Promise.race([work, gone]);
    } catch (error) {
      // The connection often breaks a moment before the process is seen to end.
      if (error instanceof AppError && error.reason === 'guest_peer_failed') await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
      if (this.#end) throw endedError(this.#end);
      throw error;
    }
  }

  async #cleanUp(): Promise<GuestEnd> {
    const { process, qmp, agent, helper, dir } = this.parts;
    qmp.close();
    agent.close();
    helper.close();
    await rm(dir, { recursive: true, force: true }).catch(() => undefined);
    if (this.#quitting) this.#end = { why: 'quit', detail: 'it was ended' };
    else if (process.endedWell) this.#end = { why: 'powered_off', detail: 'it switched itself off, or would have started again' };
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
