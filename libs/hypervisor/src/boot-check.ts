import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, clip, errorMessage } from '#libs/platform';
import type { Acceleration, ExecuteResult, Guest, GuestSpec, Hypervisor } from './hypervisor.port.js';
import { findHopeless, hasLoginPrompt, lastLines, plainSerial } from './serial-watch.js';

export interface BootCheck {
  isoPath: string;
  firmware: GuestSpec['firmware'];
  memoryMb: number;
  vcpus: number;
  /** systemd units that must be active. */
  services: readonly string[];
  /** For the whole check. */
  deadlineMs: number;
  workDir: string;
}

export interface BootReport {
  passed: boolean;
  /** One sentence each, empty when passed. */
  problems: string[];
  /** From the start of the guest to the end of the check. */
  seconds: number;
  acceleration: Acceleration;
  agentVersion?: string;
  services: { name: string; active: boolean }[];
  failedUnits: string[];
  /** PNG; absent where the guest was gone before one could be taken. */
  screenshot?: Buffer;
  /** The last lines of the serial console, without control characters. */
  serialTail: string;
  serialLogPath?: string;
}

/** Pauses between looks; tests shorten them. */
export interface Pace {
  watchMs: number;
  retryMs: number;
  /** How long after the system says that it is up its services and the login prompt may still come. */
  graceMs: number;
}

const usualPace: Pace = { watchMs: 500, retryMs: 2_000, graceMs: 30_000 };
const systemctl = '/usr/bin/systemctl';
const callMs = 60_000;
const tailLines = 60;

/**
 * Boots an image by its own boot loader and asks its agent how the system is. A system that does not come up is a report with problems, not an
 * error. Leaves no guest behind, however it ends.
 * @throws AppError `hypervisor_unavailable` where no guest could be started; the signal's reason
 */
export async function checkBoot(hypervisor: Hypervisor, check: BootCheck, signal: AbortSignal, onProgress: (fraction: number) => void = () => undefined, pace: Pace = usualPace): Promise<BootReport> {
  const { isoPath, firmware, memoryMb, vcpus, workDir, deadlineMs } = check;
  const acceleration = await hypervisor.acceleration();
  const report: BootReport = { passed: false, problems: [], seconds: 0, acceleration, services: [], failedUnits: [], serialTail: '' };
  const began = performance.now();
  const deadline = AbortSignal.timeout(deadlineMs);
  const stop = AbortSignal.any([signal, deadline]);
  const guest = await hypervisor.start({ isoPath, firmware, memoryMb, vcpus, network: 'none', workDir }, signal);
  try {
    await new SystemCheck({ guest, check, report, stop, pace, onProgress, began }).run();
  } catch (error) {
    signal.throwIfAborted();
    report.problems.push(deadline.aborted ? `The system did not come up within ${Math.round(deadlineMs / 1000)} s.` : sentence(error));
  } finally {
    if (!signal.aborted) report.screenshot = await guest.screenshot().catch(() => undefined);
    report.serialTail = lastLines(plainSerial(guest.serialText()), tailLines).join('\n');
    report.serialLogPath = guest.serialLogPath;
    await guest.quit();
  }
  signal.throwIfAborted();
  report.seconds = (performance.now() - began) / 1000;
  report.passed = report.problems.length === 0;
  onProgress(1);
  return report;
}

interface CheckInHand {
  guest: Guest;
  check: BootCheck;
  report: BootReport;
  stop: AbortSignal;
  pace: Pace;
  onProgress: (fraction: number) => void;
  /** performance.now() at the start of the guest. */
  began: number;
}

class SystemCheck {
  constructor(private readonly hand: CheckInHand) {}

  async run(): Promise<void> {
    const { version } = await this.#waitForAgent();
    this.hand.report.agentVersion = version;
    this.hand.onProgress(0.8);
    await this.#waitForSystem();
    this.hand.onProgress(0.9);
    const graceEndsAt = performance.now() + this.hand.pace.graceMs;
    for (const name of this.hand.check.services) await this.#checkService(name, graceEndsAt);
    await this.#listFailedUnits();
    this.hand.onProgress(0.95);
    if (!(await this.#until(graceEndsAt, () => hasLoginPrompt(this.#serial())))) this.hand.report.problems.push('No login prompt appeared on the serial console.');
  }

  /** Whichever comes first: the agent, a line after which there is no hope, or the end of the guest. */
  async #waitForAgent(): Promise<{ version: string }> {
    const watching = new AbortController();
    const hopeless = this.#watchSerial(watching.signal);
    try {
      return await Promise.race([this.hand.guest.waitForAgent(AbortSignal.any([this.hand.stop, watching.signal])), hopeless]);
    } finally {
      watching.abort();
      hopeless.catch(() => undefined);
    }
  }

  async #watchSerial(ended: AbortSignal): Promise<never> {
    for (;;) {
      await sleep(this.hand.pace.watchMs, undefined, { signal: ended });
      const plain = this.#serial();
      const line = findHopeless(plain);
      if (line !== undefined) throw new BootProblem(`The system did not start: ${clip(line, 200)}`);
      // Nobody knows how long a boot takes: half of what is left comes in each half minute.
      this.hand.onProgress(0.75 * (1 - 0.5 ** ((performance.now() - this.hand.began) / 30_000)));
    }
  }

  async #waitForSystem(): Promise<void> {
    const { stdout } = await this.#systemctl(['is-system-running', '--wait'], Math.max(1_000, this.hand.check.deadlineMs - (performance.now() - this.hand.began)));
    const state = clip(stdout.trim(), 40);
    // `degraded` is told unit by unit.
    if (state !== 'running' && state !== 'degraded') this.hand.report.problems.push(`The system is ${state || 'in no known state'}, not running.`);
  }

  async #checkService(name: string, graceEndsAt: number): Promise<void> {
    let state = '';
    const active = await this.#until(graceEndsAt, async () => {
      state = (await this.#systemctl(['is-active', '--', name])).stdout.trim();
      return state === 'active';
    });
    this.hand.report.services.push({ name, active });
    if (!active) this.hand.report.problems.push(`The service ${clip(name)} is ${clip(state, 20) || 'unknown'}, not active.`);
  }

  async #listFailedUnits(): Promise<void> {
    const { code, stdout } = await this.#systemctl(['list-units', '--failed', '--no-legend', '--plain', '--no-pager']);
    if (code !== 0) this.hand.report.problems.push('The system did not say which units failed.');
    this.hand.report.failedUnits = stdout
      .split('\n')
      .map((line) => clip(line.trim().split(/\s+/)[0] ?? ''))
      .filter(Boolean)
      .slice(0, 100);
    if (this.hand.report.failedUnits.length) this.hand.report.problems.push(`Units failed: ${this.hand.report.failedUnits.join(', ')}.`);
  }

  async #systemctl(args: readonly string[], deadlineMs = callMs): Promise<ExecuteResult> {
    this.hand.stop.throwIfAborted();
    return await orStop(this.hand.guest.execute(systemctl, args, { deadlineMs }), this.hand.stop);
  }

  async #until(endsAt: number, isSo: () => boolean | Promise<boolean>): Promise<boolean> {
    for (;;) {
      if (await isSo()) return true;
      if (performance.now() >= endsAt) return false;
      await sleep(this.hand.pace.retryMs, undefined, { signal: this.hand.stop });
    }
  }

  #serial(): string {
    return plainSerial(this.hand.guest.serialText());
  }
}

/** What a system did wrong, in a sentence for its maker. */
class BootProblem extends Error {}

function sentence(error: unknown): string {
  if (error instanceof AppError || error instanceof BootProblem) return error.message;
  return `The check itself failed: ${errorMessage(error)}`;
}

async function orStop<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  let onAbort: () => void = () => undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(stop.reason as Error);
    stop.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stop.removeEventListener('abort', onAbort);
    work.catch(() => undefined);
  }
}
