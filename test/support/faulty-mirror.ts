import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Of packages only: `stalls` sends a little and then nothing, `half` hangs up in the middle, `wrong` changes bytes but not their number. `down` refuses every connection. */
export type MirrorHealth = 'well' | 'down' | 'stalls' | 'half' | 'wrong';

/** A mirror on 127.0.0.1 that is as well as the test wants it to be. */
export class FaultyMirror {
  private health: MirrorHealth = 'well';
  private server: Server | undefined;
  private port = 0;

  /** @param answer what a well mirror answers, by path */
  static async start(answer: (path: string, request: IncomingMessage) => Promise<Response>): Promise<FaultyMirror> {
    const mirror = new FaultyMirror(answer);
    await mirror.listen();
    return mirror;
  }

  private constructor(private readonly answer: (path: string, request: IncomingMessage) => Promise<Response>) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async become(health: MirrorHealth): Promise<void> {
    if (health === 'down') await this.stop();
    else if (!this.server) await this.listen();
    this.health = health;
  }

  /** Hangs up on everybody. */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private async listen(): Promise<void> {
    const server = createServer(
      (request, response) => void this.serve(request, response).catch(() => response.destroy()),
    );
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const found = await this.answer(path, request);
    const bytes = Buffer.from(await found.arrayBuffer());
    const date = found.headers.get('last-modified');
    response.writeHead(found.status, { 'content-length': bytes.length, ...(date && { 'last-modified': date }) });
    const health = path.endsWith('.deb') ? this.health : 'well';
    if (health === 'well') response.end(bytes);
    else if (health === 'wrong') response.end(bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 0xff : byte)));
    else response.write(bytes.subarray(0, bytes.length >> 1), () => health === 'half' && response.destroy());
  }
}
