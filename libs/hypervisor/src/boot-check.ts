import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, clip, errorMessage, untilAborted } from '#libs/platform';
import type { KeptBoot } from './boot-offers.js';
import type { Acceleration, ExecuteResult, Guest, GuestSpec, Hypervisor } from './hypervisor.port.js';
import { findHopeless, hasLoginPrompt, lastLines, plainSerial } from './serial-watch.js';

/** Who in an image can tell how its system is. */
export interface ImageVoices {
  agent: boolean;
  helper: boolean;
}

export interface BootCheck {
  isoPath: string;
  firmware: GuestSpec['firmware'];
  memoryMb: number;
  vcpus: number;
  voices: ImageVoices;
  /** systemd units that must be active; asked of the agent, so not looked at in an image without one. */
  services: readonly string[];
  /** For the whole check. */
  deadlineMs: number;
  workDir: string;
  /** For a boot whose state is kept if it passes and the helper spoke; a guest without a helper could never become a machine of its own. */
  kept?: KeptBoot;
}

export interface BootReport {
  passed: boolean;
  /** One sentence each, empty when passed. */
  problems: string[];
  /** From the start of the guest to the end of the check. */
  seconds: number;
  acceleration: Acceleration;
  /** By whose word: without agent and helper, that a login prompt came is all that is known. */
  checkedBy: 'agent' | 'helper' | 'login prompt';
  agentVersion?: string;
  /** Absent where the image has no helper, or it did not answer. */
  helperVersion?: string;
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
 * Boots an image by its own boot loader and asks its agent how the system is; where there is none its helper, and where there is no helper either
 * waits for the login prompt. A system that does not come up is a report with problems, not an
 * error. Leaves no guest behind, however it ends.
 * @throws AppError `hypervisor_unavailable` where no guest could be started; the signal's reason
 */
export async function checkBoot(hypervisor: Hypervisor, check: BootCheck, signal: AbortSignal, onProgress: (fraction: number) => void = () => undefined, pace: Pace = usualPace): Promise<BootReport> {
  const { isoPath, firmware, memoryMb, vcpus, workDir, deadlineMs, kept } = check;
  const acceleration = await hypervisor.acceleration();
  const report: BootReport = { passed: false, problems: [], seconds: 0, acceleration, checkedBy: check.voices.agent ? 'agent' : check.voices.helper ? 'helper' : 'login prompt', services: [], failedUnits: [], serialTail: '' };
  const began = performance.now();
  const deadline = AbortSignal.timeout(deadlineMs);
  const stop = AbortSignal.any([signal, deadline]);
  const guest = await hypervisor.start({ isoPath, firmware, memoryMb, vcpus, network: 'none', workDir, ...kept?.spec }, signal);
  try {
    await new SystemCheck({ guest, check, report, stop, pace, onProgress, began }).run();
  } catch (error) {
    signal.throwIfAborted();
    report.problems.push(deadline.aborted ? `The system did not come up within ${Math.round(deadlineMs / 1000)} s.` : sentence(error));
  } finally {
    if (!signal.aborted) report.screenshot = await guest.screenshot().catch(() => undefined);
    report.serialTail = lastLines(plainSerial(guest.serialText()), tailLines).join('\n');
    report.serialLogPath = guest.serialLogPath;
    if (report.helperVersion !== undefined && report.problems.length === 0 && !signal.aborted) await kept?.keep(guest);
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
  /** performance.now() after which nothing that is late is waited for. */
  #graceEndsAt = 0;

  constructor(private readonly hand: CheckInHand) {}

  async run(): Promise<void> {
    const { checkedBy } = this.hand.report;
    if (checkedBy === 'agent') await this.#askAgent();
    if (checkedBy === 'helper') await this.#askHelper();
    if (checkedBy === 'login prompt') await this.#hopefully((signal) => this.#until(Infinity, () => hasLoginPrompt(this.#serial()), signal));
    this.hand.onProgress(0.95);
    if (!(await this.#until(this.#graceEndsAt, () => hasLoginPrompt(this.#serial())))) this.hand.report.problems.push('No login prompt appeared on the serial console.');
  }

  async #askAgent(): Promise<void> {
    await this.#hopefully((signal) => this.hand.guest.waitForAgent(signal));
    this.hand.report.agentVersion = await untilAborted(this.hand.guest.agentVersion(), this.hand.stop);
    this.hand.onProgress(0.8);
    await this.#waitForSystem();
    this.hand.onProgress(0.9);
    this.#startGrace();
    for (const name of this.hand.check.services) await this.#checkService(name);
    await this.#listFailedUnits();
    if (this.hand.check.voices.helper) await this.#noteHelper();
  }

  /** The helper runs no programs: that the system is `degraded` is all it says of a failed unit. */
  async #askHelper(): Promise<void> {
    let state = '';
    await this.#hopefully((signal) =>
      this.#until(Infinity, async () => {
        const greeting = await this.hand.guest.helper.waitUntilReady(signal);
        this.hand.report.helperVersion = greeting.version;
        state = greeting.systemState;
        return !['initializing', 'starting'].includes(state);
      }, signal),
    );
    this.#startGrace();
    if (state !== 'running') this.hand.report.problems.push(`The system is ${state}, not running.`);
  }

  /** With an agent that has told everything, a helper that is silent is no fault of the system: only its clones would miss it. */
  async #noteHelper(): Promise<void> {
    const patience = AbortSignal.any([this.hand.stop, AbortSignal.timeout(Math.max(1, Math.ceil(this.#graceEndsAt - performance.now())))]);
    const greeting = await this.hand.guest.helper.waitUntilReady(patience).catch(() => undefined);
    this.hand.stop.throwIfAborted();
    if (greeting) this.hand.report.helperVersion = greeting.version;
  }

  /** Whichever comes first: what is waited for, a line after which there is no hope, or the end of the guest. */
  async #hopefully<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const watching = new AbortController();
    const hopeless = this.#watchSerial(watching.signal);
    const ended = this.hand.guest.ended.then(({ detail }) => Promise.reject(new BootProblem(`The guest is gone: ${detail}.`)));
    const waiting = wait(AbortSignal.any([this.hand.stop, watching.signal]));
    try {
      return await Promise.race([waiting, hopeless, ended]);
    } finally {
      watching.abort();
      for (const loser of [waiting, hopeless, ended]) loser.catch(() => undefined);
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

  #startGrace(): void {
    this.#graceEndsAt = performance.now() + this.hand.pace.graceMs;
  }

  async #checkService(name: string): Promise<void> {
    let state = '';
    const active = await this.#until(this.#graceEndsAt, async () => {
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
    return await untilAborted(this.hand.guest.execute(systemctl, args, { deadlineMs }), this.hand.stop);
  }

  async #until(endsAt: number, isSo: () => boolean | Promise<boolean>, signal = this.hand.stop): Promise<boolean> {
    for (;;) {
      if (await isSo()) return true;
      if (performance.now() >= endsAt) return false;
      await sleep(this.hand.pace.retryMs, undefined, { signal });
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
