import { Worker } from 'node:worker_threads';
import { createConnection, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** On an event loop of its own, as QEMU is a process of its own: says `once` to whoever connects, and then `piece` as fast as it is taken, up to so many bytes. */
const program = `
const { parentPort, workerData: { place, once, piece, bytes } } = require('node:worker_threads');
require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(Buffer.from(once));
  let sent = 0;
  const flood = () => { while (!socket.destroyed && sent < bytes) { sent += piece.length; if (!socket.write(piece)) return void socket.once('drain', flood); } };
  flood();
}).listen(place, () => parentPort.postMessage('ready'));
`;

export interface Flood {
  once?: string;
  piece: string | Buffer;
  bytes: number;
}

export class FloodingServer {
  private constructor(
    private readonly dir: string,
    private readonly worker: Worker,
  ) {}

  static async start({ once = '', piece, bytes }: Flood): Promise<FloodingServer> {
    const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-flood-'));
    const worker = new Worker(program, {
      eval: true,
      workerData: { place: path.join(dir, 's'), once, piece: Buffer.from(piece), bytes },
    });
    await new Promise((resolve) => worker.once('message', resolve));
    return new FloodingServer(dir, worker);
  }

  connect(): Socket {
    return createConnection(path.join(this.dir, 's'));
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
    await rm(this.dir, { recursive: true, force: true });
  }
}
