import { open, rm, type FileHandle } from 'node:fs/promises';
import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { RuntimeDirectory } from './runtime-directory.js';
import { socketNames } from './qemu-command.js';

/** Devices and the memory of the graphics card; the guest's memory is not in it. */
const capBytes = 512 << 20;

/** Where a QEMU sends its state to: a socket of ours, in the directory where it can put nothing of its own any more. */
export class StateReceiver {
  /** Rejects where it broke, or was more than a state is. */
  readonly received: Promise<void>;
  readonly #server: Server;
  #socket: Socket | undefined;

  private constructor(
    private readonly runtime: RuntimeDirectory,
    file: string,
  ) {
    let finish!: (work: Promise<void>) => void;
    this.received = new Promise((resolve) => (finish = resolve));
    this.received.catch(() => undefined);
    this.#server = createServer((socket) => {
      this.#server.close();
      this.#socket = socket;
      finish(writeTo(file, socket));
    });
    this.#server.on('error', (error) => finish(Promise.reject(error)));
  }

  static async listen(runtime: RuntimeDirectory, file: string): Promise<StateReceiver> {
    const receiver = new StateReceiver(runtime, file);
    const at = runtime.socketPath(socketNames.state);
    await rm(at, { force: true });
    await new Promise<void>((resolve, reject) => receiver.#server.once('error', reject).listen(at, resolve));
    chmodSync(at, 0o666); // QEMU's account has to connect, and nobody else gets here.
    return receiver;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#socket?.destroy();
    await rm(this.runtime.socketPath(socketNames.state), { force: true }).catch(() => undefined);
  }
}

async function writeTo(file: string, socket: Socket): Promise<void> {
  const handle: FileHandle = await open(file, 'wx', 0o600);
  try {
    let bytes = 0;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > capBytes) throw new Error(`QEMU sent more than ${capBytes} bytes of state`);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
