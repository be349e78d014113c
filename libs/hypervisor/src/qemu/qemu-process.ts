import type { ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { clip, killGroup } from '#libs/platform';
import { guestError } from '../guest-error.js';

const killGraceMs = 300;

/** A QEMU and its end. */
export class QemuProcess {
  #words = '';
  #exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  /** Settles when every process of it is gone: all of them hold the pipes. */
  readonly closed: Promise<void>;

  constructor(private readonly child: ChildProcess) {
    child.stdin?.on('error', () => undefined);
    child.stderr?.on('data', (chunk: Buffer) => (this.#words = `${this.#words}${chunk.toString()}`.slice(-4_000)));
    this.closed = new Promise((resolve) => {
      child.on('error', (error) => (this.#words = error.message));
      child.on('close', (code, signal) => {
        this.#exit = { code, signal };
        resolve();
      });
    });
  }

  get output(): Readable {
    return this.child.stdout as Readable;
  }

  get hasEnded(): boolean {
    return this.#exit !== undefined;
  }

  get endedWell(): boolean {
    return this.#exit?.code === 0;
  }

  lastWords(): string {
    const line = this.#words.trim().split('\n').at(-1);
    return clip(line || (this.#exit ? `it ended with ${this.#exit.signal ?? `code ${this.#exit.code}`}` : 'it said nothing'), 300);
  }

  async kill(): Promise<void> {
    killGroup(this.child, killGraceMs);
    await this.closed;
  }

  /** Connects to a socket that QEMU makes while it starts. @throws AppError `hypervisor_unavailable` when it ends first, or takes too long */
  async connect(dir: string, name: string, signal: AbortSignal, deadlineMs = 20_000): Promise<Socket> {
    // A socket's path has 107 bytes at most (unix(7)); through an open directory any place is short enough.
    const handle = await open(dir, 'r');
    try {
      const endsAt = performance.now() + deadlineMs;
      for (;;) {
        signal.throwIfAborted();
        if (this.hasEnded) throw guestError('hypervisor_unavailable', `QEMU did not start: ${this.lastWords()}.`, { hint: 'Run "openfactory doctor".' });
        const socket = await connectOnce(`/proc/self/fd/${handle.fd}/${name}`);
        if (socket) return socket;
        if (performance.now() > endsAt) throw guestError('hypervisor_unavailable', `QEMU did not open its ${name} within ${deadlineMs / 1000} s: ${this.lastWords()}.`);
        await sleep(20);
      }
    } finally {
      await handle.close();
    }
  }
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
