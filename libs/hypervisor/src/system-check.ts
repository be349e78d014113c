import { setTimeout as sleep } from 'node:timers/promises';
import { clip, untilAborted } from '#libs/platform';
import type { BootCheck, Timeouts } from './boot-order.js';
import { BootProblem, type BootReport } from './boot-report.js';
import { guestError } from './guest-error.js';
import { endOfPatience, graceAfter, GuestMeter, isBusy } from './guest-patience.js';
import type { Guest } from './hypervisor.port.js';
import { findHopeless, hasLoginPrompt, plainSerial } from './serial-watch.js';
import { SystemdVoice } from './systemd-voice.js';

export interface CheckInHand {
  guest: Guest;
  check: BootCheck;
  /** What is found out is written into it. */
  report: BootReport;
  stop: AbortSignal;
  timeouts: Timeouts;
  onProgress: (fraction: number) => void;
}

/** One boot, watched from its start until its system has told everything. */
export class SystemCheck {
  readonly #began = performance.now();
  readonly #problems: BootProblem[] = [];
  readonly #meter: GuestMeter;
  readonly #systemd: SystemdVoice;
  /** Aborts when nothing that is late is waited for any more. */
  #grace = { signal: AbortSignal.abort(), stop: (): void => undefined };
  #shareOfBoot = 0;

  constructor(private readonly hand: CheckInHand) {
    this.#meter = new GuestMeter(hand.guest);
    this.#systemd = new SystemdVoice(hand.guest, hand.stop);
  }

  /** @throws BootProblem; AppError, where somebody in the guest, or its hypervisor, failed */
  async run(): Promise<BootProblem[]> {
    try {
      await this.#run();
      return this.#problems;
    } finally {
      this.#grace.stop();
    }
  }

  async #run(): Promise<void> {
    const { checkedBy } = this.hand.report;
    if (checkedBy === 'agent') await this.#askAgent();
    if (checkedBy === 'helper') await this.#askHelper();
    if (checkedBy === 'login prompt')
      await this.#hopefully((signal) => this.#until(never, () => hasLoginPrompt(this.#serial()), signal));
    this.hand.onProgress(0.95);
    await this.#checkPrompt();
  }

  async #askAgent(): Promise<void> {
    await this.#hopefully((signal) => this.hand.guest.waitForAgent(signal));
    this.hand.report.agentVersion = await untilAborted(this.hand.guest.agentVersion(), this.hand.stop);
    this.hand.onProgress(0.8);
    const state = await this.#hopefully(() => this.#systemd.waitUntilUp());
    // `degraded` is told unit by unit.
    if (state !== 'running' && state !== 'degraded')
      this.#problem(`The system is ${state || 'in no known state'}, not running.`);
    this.hand.onProgress(0.9);
    this.#startGrace();
    for (const name of this.hand.check.services) await this.#checkService(name);
    await this.#checkFailedUnits();
    if (this.hand.check.guestChannels.helper) await this.#noteHelper();
  }

  /** The helper runs no programs: that the system is `degraded` is all it says of a failed unit. */
  async #askHelper(): Promise<void> {
    let state = '';
    await this.#hopefully((signal) =>
      this.#until(
        never,
        async () => {
          const greeting = await this.hand.guest.helper.waitUntilReady(signal);
          this.hand.report.helperVersion = greeting.version;
          state = greeting.systemState;
          return !['initializing', 'starting'].includes(state);
        },
        signal,
      ),
    );
    this.#startGrace();
    // Which unit failed, and whether for its slowness, it does not say.
    if (state !== 'running') this.#problem(`The system is ${state}, not running.`, this.#wasStarved);
  }

  /** With an agent that has told everything, a helper that is silent is no fault of the system: only its clones would miss it. */
  async #noteHelper(): Promise<void> {
    const greeting = await this.hand.guest.helper
      .waitUntilReady(AbortSignal.any([this.hand.stop, this.#grace.signal]))
      .catch(() => undefined);
    this.hand.stop.throwIfAborted();
    if (greeting) this.hand.report.helperVersion = greeting.version;
  }

  /** Whichever comes first: what is waited for, a line after which there is no hope, the end of the guest, or that of all patience. */
  async #hopefully<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const watching = new AbortController();
    const watched = AbortSignal.any([this.hand.stop, watching.signal]);
    const ends = [wait(watched), this.#watchSerial(watched), this.#watchEnd(), this.#watchPatience(watched)] as const;
    try {
      return await Promise.race(ends);
    } finally {
      watching.abort();
      for (const loser of ends) loser.catch(() => undefined);
    }
  }

  async #watchSerial(ended: AbortSignal): Promise<never> {
    for (;;) {
      await sleep(this.hand.timeouts.watchMs, undefined, { signal: ended });
      const line = findHopeless(this.#serial());
      if (line !== undefined)
        throw new BootProblem(
          `The system did not start: ${clip(line.text, 200)}`,
          line.isTimeout && isBusy(this.hand.timeouts.host),
        );
      // Nobody knows how long a boot takes: half of what is left comes in each half minute.
      this.hand.onProgress(0.75 * (1 - 0.5 ** (this.#ageMs / 30_000)));
    }
  }

  /** A guest that ended itself is a fact about its system; one whose virtual machine broke, or was killed, is not. */
  async #watchEnd(): Promise<never> {
    const { why, detail } = await this.hand.guest.ended;
    if (why === 'failed')
      throw guestError('hypervisor_unavailable', `The virtual machine broke while the image was booted: ${detail}.`);
    throw new BootProblem(`The guest is gone: ${detail}.`);
  }

  async #watchPatience(ended: AbortSignal): Promise<never> {
    const { patience, host } = this.hand.timeouts;
    const { why, message } = await endOfPatience(this.hand.guest, ended, patience, host);
    throw new BootProblem(message, why === 'too_slow');
  }

  #startGrace(): void {
    this.#shareOfBoot = this.#meter.share;
    const { graceMs, host } = this.hand.timeouts;
    this.#grace = graceAfter(this.#ageMs, graceMs, host);
  }

  async #checkService(name: string): Promise<void> {
    let state = '';
    const active = await this.#until(this.#grace.signal, async () => {
      state = await this.#systemd.stateOf(name);
      return state === 'active';
    });
    this.hand.report.services.push({ name, active });
    if (!active)
      this.#problem(`The service ${clip(name)} is ${clip(state, 20) || 'unknown'}, not active.`, this.#isNotYet(state));
  }

  /** systemd's own time-outs are deadlines as well: only those that the image's owner chose are facts. */
  async #checkFailedUnits(): Promise<void> {
    const failed = await this.#systemd.failedUnits();
    this.hand.report.failedUnits = failed.map(({ name }) => name);
    const late = failed.filter(
      ({ name, isTimeout }) => isTimeout && !this.hand.check.bounded?.includes(name) && this.#wasStarved,
    );
    if (failed.length) this.#problem(`Units failed: ${failed.map(({ name }) => name).join(', ')}.`, late.length > 0);
    if (late.length)
      this.#problem(`They took longer than systemd lets them: ${late.map(({ name }) => name).join(', ')}.`, true);
  }

  async #checkPrompt(): Promise<void> {
    if (await this.#until(this.#grace.signal, () => hasLoginPrompt(this.#serial()))) return;
    this.#problem('No login prompt appeared on the serial console.', await this.#isPromptLate());
  }

  /** Who would write it is at work, or nobody knows and the guest has not come to rest. */
  async #isPromptLate(): Promise<boolean> {
    if (this.hand.report.checkedBy === 'agent') {
      const state = await this.#systemd.stateOf('serial-getty@ttyS0.service');
      return state === 'active' || this.#isNotYet(state);
    }
    this.#meter.hasRested(this.#shareOfBoot);
    await sleep(3 * this.hand.timeouts.retryMs, undefined, { signal: this.hand.stop });
    return !this.#meter.hasRested(this.#shareOfBoot);
  }

  /** What did not start in a starved guest may have waited too long for something else, such as its device: that it failed is a fact, that it is missing is none. */
  #isNotYet(state: string): boolean {
    return ['activating', 'reloading'].includes(state) || (this.#wasStarved && state !== 'failed');
  }

  /** The host gave it far less than a processor while it came up, or had other work. */
  get #wasStarved(): boolean {
    return this.#shareOfBoot < 0.5 || isBusy(this.hand.timeouts.host);
  }

  /** @returns whether it became so before the signal said that it is enough */
  async #until(enough: AbortSignal, isSo: () => boolean | Promise<boolean>, signal = this.hand.stop): Promise<boolean> {
    for (;;) {
      if (await isSo()) return true;
      if (enough.aborted) return false;
      await sleep(this.hand.timeouts.retryMs, undefined, { signal });
    }
  }

  #problem(sentence: string, isLate = false): void {
    this.#problems.push(new BootProblem(sentence, isLate));
  }

  get #ageMs(): number {
    return performance.now() - this.#began;
  }

  #serial(): string {
    return plainSerial(this.hand.guest.serialText());
  }
}

const never = new AbortController().signal;
