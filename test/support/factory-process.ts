import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { productRoot } from '#libs/platform';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Tests ask many times a second. */
const patient = {
  OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '100000',
  OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: '100000',
};

/** `openfactory up` as its users start it: a process of its own, with a data directory of its own. */
export class FactoryProcess {
  output = '';
  readonly ended: Promise<Ended>;

  private constructor(
    readonly child: ChildProcess,
    readonly dataDir: string,
  ) {
    child.stdout?.on('data', (chunk) => (this.output += String(chunk)));
    child.stderr?.on('data', (chunk) => (this.output += String(chunk)));
    this.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  }

  static start(dataDir: string, environment: Record<string, string> = {}): FactoryProcess {
    const child = spawn(process.execPath, [path.join(productRoot, 'bin/openfactory'), 'up'], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        OPENFACTORY_DATA_DIR: dataDir,
        OPENFACTORY_PORT: '0',
        ...patient,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new FactoryProcess(child, dataDir);
  }

  /** The URL, once the factory says that it runs. @throws with its output if it ends instead */
  async ready(withinMs = 60_000): Promise<string> {
    const deadline = Date.now() + withinMs;
    while (!this.output.includes('OpenFactory is running.')) {
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`The factory did not start:\n${this.output}`);
      await sleep(10);
    }
    return /Streamable HTTP\s+(\S+)\/api\/mcp\n/.exec(this.output)![1]!;
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return await this.ended;
  }
}

export async function makeDataDir(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp('/tmp/openfactory-live-');
  await chmod(dir, 0o755);
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/**
 * Processes in mount namespaces of their own that see something of a directory, or name it: what builds run. A mount at the directory itself is no
 * sign: whatever makes a namespace while it is there has a copy of it, another factory's builds too.
 */
export async function namespacesOn(dir: string): Promise<string[]> {
  const own = await readlink('/proc/self/ns/mnt');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      const [namespace, mounts, command] = await Promise.all([
        readlink(`/proc/${pid}/ns/mnt`).catch(() => own),
        read('mountinfo'),
        read('cmdline'),
      ]);
      const sees = mounts.split('\n').some((line) => line.includes(dir) && line.split(' ')[4] !== dir);
      return namespace !== own && (sees || command.includes(dir)) ? `${pid} ${await read('comm')}`.trim() : '';
    }),
  );
  return found.filter(Boolean);
}

/** Everything of a factory that should be gone with it: processes that name its data directory, and mounts below it. */
export async function leftOvers(dataDir: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(
      async (pid) => `${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')}`,
    ),
  );
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(dataDir));
  return [...lines.filter((line) => line.includes(dataDir)), ...mounts];
}

export async function untilNothingIsLeft(dataDir: string, withinMs = 10_000): Promise<string[]> {
  const deadline = Date.now() + withinMs;
  let left = await leftOvers(dataDir);
  while (left.length && Date.now() < deadline) {
    await sleep(50);
    left = await leftOvers(dataDir);
  }
  return left;
}

/** What the guests of a factory printed last. */
export async function serialTails(dataDir: string): Promise<string> {
  const files = (await readdir(dataDir, { recursive: true }).catch(() => [])).filter((file) =>
    /^serial-.*\.log$/.test(path.basename(file)),
  );
  const tails = files.map(
    async (file) => `${file}:\n${(await readFile(path.join(dataDir, file), 'utf8').catch(String)).slice(-3_000)}`,
  );
  return (await Promise.all(tails)).join('\n');
}
