import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { clip } from '#libs/platform';
import { cpuMsOf, identify, signalProcess, untilGone, type ProcessIdentity } from './process-identity.js';

const killGraceMs = 300;
const watchMs = 250;
const wordsCapBytes = 4_000;

/** The processes of a guest, by which another factory finds them. */
export interface GuestProcesses {
  /** bwrap's, outside the guest's namespaces; it goes with QEMU. */
  launcher: ProcessIdentity;
  qemu: ProcessIdentity;
}

/** A QEMU and its end, whether it is our child or was another factory's. */
export class QemuProcess {
  /** Settles when every process of it is gone. */
  readonly closed: Promise<void>;
  #hasEnded = false;
  #exit = '';
  #endedWell = false;
  #lastWords: string | undefined;
  #wasEndedFor = false;

  /** @param logFile where QEMU's standard error goes, open for reading, and closed with it */
  private constructor(
    private processes: Partial<GuestProcesses>,
    private readonly logFile: number,
    ended: Promise<void>,
  ) {
    this.closed = ended.then(async () => {
      // The launcher waits for QEMU; where it went first, it was killed.
      if (this.processes.qemu) signalProcess(this.processes.qemu, 'SIGKILL');
      if (this.processes.qemu) await untilGone(this.processes.qemu, 5);
      this.#exit ||= 'it ended without a word, as one does that is killed';
      this.#lastWords = this.lastWords();
      closeSync(this.logFile);
      this.#hasEnded = true;
    });
  }

  static ofChild(child: ChildProcess, logFile: number): QemuProcess {
    let finish!: () => void;
    const launcher = child.pid === undefined ? undefined : identify(child.pid);
    const made: QemuProcess = new QemuProcess(
      launcher ? { launcher } : {},
      logFile,
      new Promise((resolve) => (finish = resolve)),
    );
    child.on('error', (error) => {
      made.#exit = error.message;
      finish();
    });
    child.on('exit', (code, signal) => {
      made.#exit ||= exitOf(code, signal);
      made.#endedWell = code === 0;
      finish();
    });
    return made;
  }

  /** One that is no child of ours; how it ended is then known only where QEMU says so over QMP. */
  static ofOthers(processes: GuestProcesses, logFile: number): QemuProcess {
    return new QemuProcess(processes, logFile, untilGone(processes.qemu, watchMs, { ref: false }));
  }

  /** @returns both, once QEMU's is known */
  found(qemuPid: number): GuestProcesses | undefined {
    const qemu = identify(qemuPid);
    if (!qemu || !this.processes.launcher) return undefined;
    this.processes = { launcher: this.processes.launcher, qemu };
    return this.processes as GuestProcesses;
  }

  /** Of all its threads, in milliseconds; 0 where it has ended. */
  cpuMs(): number {
    return this.processes.qemu ? cpuMsOf(this.processes.qemu.pid) : 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Switched itself off, or was told to go. */
  get endedWell(): boolean {
    return this.#endedWell && !this.#wasEndedFor;
  }

  /** QEMU itself said that the guest switched off. */
  noteShutdown(): void {
    this.#endedWell = true;
  }

  /** Ends it, and that is why. */
  async endFor(why: string): Promise<void> {
    this.#lastWords ??= clip(why, 300);
    this.#wasEndedFor = true;
    await this.kill();
  }

  lastWords(): string {
    if (this.#lastWords !== undefined) return this.#lastWords;
    // A warning of its start is no reason for its end.
    const line = readTail(this.logFile)
      .trim()
      .split('\n')
      .findLast((said) => !said.includes(': warning: '));
    return clip(line || this.#exit || 'it said nothing', 300);
  }

  /** QEMU may write back what it holds; what has not gone after a grace is killed. */
  async kill(): Promise<void> {
    if (this.processes.qemu) signalProcess(this.processes.qemu, 'SIGTERM');
    else this.#killAll();
    const timer = setTimeout(() => this.#killAll(), killGraceMs);
    await this.closed;
    clearTimeout(timer);
  }

  #killAll(): void {
    const { launcher, qemu } = this.processes;
    // The launcher leads their group.
    if (launcher) signalProcess(launcher, 'SIGKILL', 'group');
    if (qemu) signalProcess(qemu, 'SIGKILL');
  }
}

/** The launcher tells of a signal that ended QEMU as a shell does. */
function exitOf(code: number | null, signal: string | null): string {
  const killedBy = signal ?? Object.entries(constants.signals).find(([, number]) => number + 128 === code)?.[0];
  return killedBy === undefined ? `it ended with code ${code}` : `it was killed (${killedBy})`;
}

function readTail(file: number): string {
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, wordsCapBytes));
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, Math.max(0, size - bytes.length))).toString();
  } catch {
    return '';
  }
}
