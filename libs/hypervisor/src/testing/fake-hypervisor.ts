import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { guestError } from '../guest-error.js';
import {
  Guest,
  GuestDisks,
  Hypervisor,
  type Acceleration,
  type ClosedPort,
  type ExecuteOptions,
  type ExecuteResult,
  type GuestActivity,
  type GuestEnd,
  type GuestHelper,
  type GuestKeyboard,
  type GuestShape,
  type GuestSpec,
  type InputEvent,
  type RestoreDuties,
} from '../hypervisor.port.js';

export interface FakeGuestScript {
  /** What it prints, from its first moment on. */
  serial?: string;
  /** Absent: the agent never answers. */
  agentVersion?: string;
  /** How its helper says that the system is, in turn, the last one again and again. Absent: the helper never answers. */
  systemStates?: string[];
  /** Answers to a command line, its words joined by blanks; `*` for all others. Default: code 0 and no output. */
  answers?: Record<string, Partial<ExecuteResult> | (() => Partial<ExecuteResult> | Promise<Partial<ExecuteResult>>)>;
  /** What it has done so far; default: it works all the time, on two processors. */
  activity?: () => GuestActivity;
  /** Ends itself after so long. */
  powersOffAfterMs?: number;
  /** Obeys the power button. Default: yes. */
  obeysPower?: boolean;
  /** What its helper says of the keyboard; default nothing. */
  keyboard?: GuestKeyboard;
  /** What its screen shows; default one grey pixel. */
  screen?: Buffer;
}

const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);

export class FakeHypervisor extends Hypervisor {
  readonly guests: FakeGuest[] = [];

  constructor(
    public script: FakeGuestScript = {},
    private readonly found: Acceleration = { kind: 'tcg', why: 'it is a fake' },
  ) {
    super();
  }

  acceleration(): Promise<Acceleration> {
    return Promise.resolve(this.found);
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<FakeGuest> {
    signal.throwIfAborted();
    try {
      if (spec.diskPath !== undefined) await realpath(spec.diskPath);
      if (spec.isoPath !== undefined) await realpath(spec.isoPath);
      const dir = await mkdtemp(path.join(spec.workDir, 'serial-'));
      const serialLogPath = `${dir}.log`;
      await rm(dir, { recursive: true });
      await writeFile(serialLogPath, this.script.serial ?? '');
      const guest = new FakeGuest(spec, serialLogPath, this.script);
      this.guests.push(guest);
      return guest;
    } catch (error) {
      throw guestError('hypervisor_unavailable', 'The virtual machine could not be started.', { cause: error });
    }
  }

  fingerprint(shape: GuestShape): Promise<string> {
    return Promise.resolve(createHash('sha256').update(JSON.stringify(shape)).digest('hex'));
  }

  async saveSnapshot(guest: Guest, snapshotDir: string): Promise<void> {
    if (!(guest instanceof FakeGuest) || !guest.spec.savable)
      throw guestError('snapshot_failed', 'The guest was not started to be saved.');
    await mkdir(snapshotDir);
    await writeFile(path.join(snapshotDir, 'state'), 'whole');
    await guest.quit();
  }

  async startFromSnapshot(
    snapshotDir: string,
    { diskPath, ...spec }: GuestSpec,
    signal: AbortSignal,
  ): Promise<FakeGuest> {
    if ((await readFile(path.join(snapshotDir, 'state'), 'utf8').catch(() => '')) !== 'whole')
      throw guestError('snapshot_damaged', 'The snapshot is not what was saved.');
    if (diskPath !== undefined) await writeFile(diskPath, '', { flag: 'wx' });
    const guest = await this.start({ ...spec, ...(diskPath !== undefined && { diskPath }) }, signal);
    guest.isLinkUp = false;
    guest.isClone = true;
    return guest;
  }

  adopt(workDir: string): Promise<FakeGuest | undefined> {
    return Promise.resolve(
      this.guests.find(({ isRunning, spec }) => isRunning && spec.survives && spec.workDir === workDir),
    );
  }

  /** Guests that nobody ended. */
  get running(): number {
    return this.guests.filter(({ isRunning }) => isRunning).length;
  }
}

export class FakeGuest extends Guest {
  readonly commands: string[] = [];
  readonly restored: RestoreDuties[] = [];
  readonly typed: string[] = [];
  readonly bootId = randomUUID();
  readonly inputs: (readonly InputEvent[])[] = [];
  readonly ended: Promise<GuestEnd>;
  readonly helper: GuestHelper = {
    waitUntilReady: async (signal) => {
      const [state, ...later] = this.#states ?? [];
      if (later.length) this.#states = later;
      await this.#answered(state !== undefined, signal);
      return { version: '1', bootId: this.bootId, systemState: state ?? 'unknown' };
    },
    restore: async (duties) => {
      await this.#helped();
      this.restored.push(duties);
      return {
        machineId: randomBytes(16).toString('hex'),
        random: randomBytes(32),
        milliseconds: { random: 1, clock: 1 },
      };
    },
    type: async (text) => {
      await this.#helped();
      this.typed.push(text);
    },
    keyboard: async () => {
      await this.#helped();
      return this.script.keyboard ?? { screen: 'unknown' };
    },
    sync: () => this.#helped(),
  };
  isRunning = true;
  #states: string[] | undefined;
  isLinkUp = true;
  isClone = false;
  readonly closedPorts: ClosedPort[] = [];
  readonly #listeners: ((closed: ClosedPort) => void)[] = [];
  #finish!: (end: GuestEnd) => void;

  constructor(
    readonly spec: GuestSpec,
    readonly serialLogPath: string,
    private readonly script: FakeGuestScript,
  ) {
    super();
    this.#states = script.systemStates;
    this.ended = new Promise((resolve) => (this.#finish = resolve));
    if (script.powersOffAfterMs !== undefined)
      setTimeout(() => this.die({ why: 'powered_off', detail: 'it switched itself off' }), script.powersOffAfterMs);
  }

  onPortClosed(listener: (closed: ClosedPort) => void): void {
    this.#listeners.push(listener);
    for (const closed of this.closedPorts) listener(closed);
  }

  /** As if it had flooded one. */
  closePort(closed: ClosedPort): void {
    this.closedPorts.push(closed);
    for (const listener of this.#listeners) listener(closed);
  }

  activity(): GuestActivity {
    return this.script.activity?.() ?? { cpuMs: 2 * performance.now(), serialBytes: 0 };
  }

  serialText(): string {
    return this.script.serial ?? '';
  }

  async waitForAgent(signal: AbortSignal): Promise<void> {
    await this.#answered(this.script.agentVersion !== undefined, signal);
  }

  async agentVersion(): Promise<string> {
    if (!this.isRunning) return await this.#gone();
    return this.script.agentVersion ?? 'unknown';
  }

  async execute(program: string, args: readonly string[], _options: ExecuteOptions): Promise<ExecuteResult> {
    if (!this.isRunning) return await this.#gone();
    if (this.script.agentVersion === undefined)
      throw guestError('guest_agent_failed', 'The guest’s agent did not answer.');
    const command = [program, ...args].join(' ');
    this.commands.push(command);
    const answer = this.script.answers?.[command] ?? this.script.answers?.['*'] ?? {};
    const result = typeof answer === 'function' ? await Promise.race([answer(), this.#gone()]) : answer;
    return { code: 0, stdout: '', stderr: '', ...result };
  }

  async screenshot(): Promise<Buffer> {
    return this.isRunning ? (this.script.screen ?? pixel) : await this.#gone();
  }

  async sendInput(events: readonly InputEvent[]): Promise<void> {
    if (!this.isRunning) return await this.#gone();
    this.inputs.push(events);
  }

  /** Says what is said to it. */
  async openScreen(): Promise<Duplex> {
    if (!this.isRunning) return await this.#gone();
    const [ours, theirs] = duplexPair();
    theirs.pipe(theirs);
    void this.ended.then(() => ours.destroy());
    return ours;
  }

  async setLink(up: boolean): Promise<void> {
    if (!this.isRunning) return await this.#gone();
    this.isLinkUp = up;
  }

  async pressPower(): Promise<void> {
    if (!this.isRunning) return await this.#gone();
    if (this.script.obeysPower ?? true) this.die({ why: 'powered_off', detail: 'it switched itself off' });
  }

  async snapshotDisk(name: string): Promise<void> {
    if (!this.isRunning) return await this.#gone();
    await new FakeGuestDisks().snapshot(this.spec.diskPath ?? '', name);
  }

  quit(): Promise<void> {
    this.die({ why: 'quit', detail: 'it was ended' });
    return Promise.resolve();
  }

  /** Returns where somebody in a running guest answers; else waits for the end of the guest or of the patience. */
  async #answered(someoneDoes: boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (someoneDoes && this.isRunning) return;
    const aborted = new Promise<never>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
    );
    await Promise.race([aborted, this.#gone()]);
  }

  async #helped(): Promise<void> {
    if (!this.isRunning) return await this.#gone();
    if (!this.#states) throw guestError('guest_helper_failed', 'The guest’s helper did not answer.');
  }

  die(end: GuestEnd): void {
    this.isRunning = false;
    this.#finish(end);
  }

  async #gone(): Promise<never> {
    const { detail } = await this.ended;
    throw guestError('guest_ended', `The guest is gone: ${detail}.`);
  }
}

/** Keeps the names of a disk's snapshots in the file itself. */
export class FakeGuestDisks extends GuestDisks {
  async createPersistent(diskPath: string): Promise<void> {
    await writeFile(diskPath, '', { flag: 'wx' });
  }

  async listSnapshots(diskPath: string): Promise<{ name: string; createdAt: Date }[]> {
    return (await read(diskPath)).map((name) => ({ name, createdAt: new Date() }));
  }

  async snapshot(diskPath: string, name: string): Promise<void> {
    await writeFile(diskPath, [...(await read(diskPath)), name].join('\n'));
  }

  async revert(diskPath: string, name: string): Promise<void> {
    if (!(await read(diskPath)).includes(name)) throw guestError('disk_failed', 'The disk has no such snapshot.');
  }

  async deleteSnapshot(diskPath: string, name: string): Promise<void> {
    await writeFile(diskPath, (await read(diskPath)).filter((other) => other !== name).join('\n'));
  }
}

async function read(diskPath: string): Promise<string[]> {
  if (!existsSync(diskPath)) throw guestError('disk_failed', 'There is no such disk.');
  return (await readFile(diskPath, 'utf8')).split('\n').filter(Boolean);
}
