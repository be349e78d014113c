import { setTimeout as sleep } from 'node:timers/promises';
import { afterHostTime, hostLoad, type HostLoad } from '#libs/platform';
import type { Guest, GuestActivity } from './hypervisor.port.js';

/** How long a guest that comes up is waited for. What it does re-arms it: a slow guest is slow, one that does nothing hangs. */
export interface GuestPatience {
  lookMs: number;
  /** Host time without a word on its serial port and without use of its processor. Longer than what a system waits for by itself (systemd: 90 s for a device, 120 s for a network). */
  standstillMs: number;
  /** Processor time that no boot takes, on any host. */
  cpuMs: number;
  /** Whatever it does. */
  longestMs: number;
}

export const usualPatience: GuestPatience = {
  lookMs: 2_000,
  standstillMs: 180_000,
  cpuMs: 60 * 60_000,
  longestMs: 3 * 3_600_000,
};

/** Of one processor. An emulated guest that halts takes less for the clock of its own QEMU; one that works takes what it gets. */
const idleShare = 0.02;

/** What is late on such a host is late because of it. */
const busySlowness = 2;
export const isBusy = (host: HostLoad = hostLoad): boolean => host.slowness() > busySlowness;

export interface PatienceEnd {
  /** `standstill`: seen of the guest. `too_slow`: it was at work to the end. */
  why: 'standstill' | 'too_slow';
  /** A sentence with what was seen. */
  message: string;
}

/** Resolves when there is no sense in waiting any longer. @throws the signal's reason */
export async function endOfPatience(
  guest: Guest,
  signal: AbortSignal,
  { lookMs, standstillMs, cpuMs, longestMs }: GuestPatience = usualPatience,
  host: HostLoad = hostLoad,
): Promise<PatienceEnd> {
  const began = performance.now();
  const first = guest.activity();
  let quietMs = 0;
  for (let before = first, at = began; ;) {
    await sleep(lookMs, undefined, { signal });
    const [now, nowAt] = [guest.activity(), performance.now()];
    // By the pause that was meant: what a process that was stopped, or a host that slept, has missed counts for nothing.
    if (isIdle(before, now, nowAt - at)) quietMs += lookMs / host.slowness();
    else quietMs = 0;
    [before, at] = [now, nowAt];
    if (quietMs >= standstillMs)
      return {
        why: 'standstill',
        message: `The system is at a standstill: its guest neither used a processor nor said a word for ${Math.round(standstillMs / 1000)} s.`,
      };
    if (now.cpuMs - first.cpuMs < cpuMs && nowAt - began < longestMs) continue;
    const share = Math.round((100 * (now.cpuMs - first.cpuMs)) / (nowAt - began));
    return {
      why: 'too_slow',
      message: `The system did not come up within ${inWords(nowAt - began)}, in which its guest got ${share} % of a processor.`,
    };
  }
}

const isIdle = (before: GuestActivity, now: GuestActivity, ms: number) =>
  now.serialBytes === before.serialBytes && now.cpuMs - before.cpuMs < idleShare * ms;
const inWords = (ms: number) => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`);

/**
 * Aborts when who is still missing after a boot is waited for no longer: a while of host time, and at least half of what the boot took. That is counted by
 * the clock, for it knows how busy the host is already. `stop` is for who needs it no more.
 */
export function graceAfter(
  bootMs: number,
  graceMs: number,
  host: HostLoad = hostLoad,
): { signal: AbortSignal; stop: () => void } {
  const abort = new AbortController();
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const stopClock = afterHostTime(
    graceMs,
    () => (timer = setTimeout(() => abort.abort(), Math.max(0, began + bootMs / 2 - performance.now()))),
    host,
  );
  return { signal: abort.signal, stop: () => (stopClock(), clearTimeout(timer)) };
}

/** What a guest got of a processor while it came up, by which one tells later whether it is still at work. */
export class GuestMeter {
  readonly #began = performance.now();
  readonly #first: GuestActivity;
  #last: { at: number; activity: GuestActivity };

  constructor(private readonly guest: Guest) {
    this.#first = guest.activity();
    this.#last = { at: this.#began, activity: this.#first };
  }

  /** Of one processor, from the start until now. */
  get share(): number {
    return (this.guest.activity().cpuMs - this.#first.cpuMs) / (performance.now() - this.#began);
  }

  /** Since the look before, it did far less than while it came up: whatever the host gave it, it asked for no more. */
  hasRested(shareOfBoot: number): boolean {
    const now = { at: performance.now(), activity: this.guest.activity() };
    const share = (now.activity.cpuMs - this.#last.activity.cpuMs) / Math.max(1, now.at - this.#last.at);
    const isSilent = now.activity.serialBytes === this.#last.activity.serialBytes;
    this.#last = now;
    return isSilent && share < shareOfBoot / 4;
  }
}
