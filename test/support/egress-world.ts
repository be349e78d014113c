import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import path from 'node:path';
import readline from 'node:readline';
import { productRoot } from '#libs/platform';

interface Answer {
  id: number;
  value?: unknown;
  error?: { message: string; reason?: string };
}

/** The namespaces of egress-host.mjs, and what runs in them. Everything in them ends with it. */
export class EgressWorld {
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #words = '';
  readonly #ended: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    readonly dir: string,
    /** The namespace that stands for the host's network. */
    private readonly network: string,
  ) {
    readline.createInterface({ input: child.stdout! }).on('line', (line) => this.#take(JSON.parse(line) as Answer));
    child.stderr!.on('data', (chunk: Buffer) => (this.#words = `${this.#words}${chunk.toString()}`.slice(-4_000)));
    this.#ended = new Promise((resolve) =>
      child.on('close', () => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`The world ended: ${this.#words}`));
        resolve();
      }),
    );
  }

  /** Needs root. */
  static async open(): Promise<EgressWorld> {
    const dir = await mkdtemp('/tmp/openfactory-world-');
    await chmod(dir, 0o755);
    const script = path.join(productRoot, 'test/support/egress-host.mjs');
    const child = spawn('unshare', ['--net', '--mount', '--propagation=private', '--', process.execPath, script, dir], {
      cwd: productRoot,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // Its first line comes when it is there, which is after unshare(1) has become it.
    await new Promise((resolve) => child.stdout.once('readable', resolve) && child.once('close', resolve));
    const world = new EgressWorld(child, dir, await readlink(`/proc/${child.pid}/ns/net`));
    await new Promise((resolve, reject) => world.#waiting.set(0, { resolve, reject }));
    return world;
  }

  call<T>(command: string, ...args: unknown[]): Promise<T> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child.stdin!.write(`${JSON.stringify({ id, command, args })}\n`);
    });
  }

  /** Process numbers of the slirp4netns that stand in this world's host; a dead one whose parent has not noticed does not. */
  async slirps(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const isOne = async (pid: string) =>
      (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')) === 'slirp4netns\n' &&
      (await readlink(`/proc/${pid}/ns/net`).catch(() => '')) === this.network;
    return (await Promise.all(pids.map(async (pid) => ((await isOne(pid)) ? [Number(pid)] : [])))).flat();
  }

  /** SIGKILL for the host's process, as for a factory that is killed. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#ended;
  }

  async close(): Promise<void> {
    this.child.stdin!.end();
    await this.#ended;
    await this.remove();
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  #take({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(Object.assign(new Error(error.message), { reason: error.reason }));
    else waiting?.resolve(value as never);
  }
}
