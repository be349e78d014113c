import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, clip, hostTooSlow, type HostLoad } from '#libs/platform';
import { guestError } from './guest-error.js';
import { endOfPatience, graceAfter, isBusy, usualPatience, type GuestPatience } from './guest-patience.js';
import type { Guest, HelperGreeting } from './hypervisor.port.js';
import { findHopeless, hasLoginPrompt, plainSerial } from './serial-watch.js';
import { SystemdVoice } from './systemd-voice.js';

/** Pauses between looks, and how long who is late may still come; tests shorten them. */
export interface UpTimeouts {
  lookMs: number;
  /** Host time for a helper that has not spoken yet, after the agent or the login prompt said that the system is up; at least half of what the boot took until then. */
  graceMs: number;
  patience: GuestPatience;
  host?: HostLoad;
}

export const usualUpTimeouts: UpTimeouts = { lookMs: 250, graceMs: 20_000, patience: usualPatience };

/** The system in a guest is up. */
export interface SystemUp {
  /** Absent where it did not speak. */
  helper?: HelperGreeting;
  /** That it never will: by the word of the guest's own service manager, not because it was late. */
  isWithoutHelper?: boolean;
}

/**
 * Waits until the system in a guest has started, by the word of whoever is in it: its helper, else its agent, else the login prompt.
 * @throws AppError `system_not_up` where it says itself that it will not come up, or does nothing any more; `host_too_slow`, `guest_ended`, or the signal's reason
 */
export async function waitForSystem(
  guest: Guest,
  signal: AbortSignal,
  timeouts: UpTimeouts = usualUpTimeouts,
): Promise<SystemUp> {
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const began = performance.now();
  let isHelped = false;
  const helper = upByHelper(guest, stop, timeouts, () => (isHelped = true));
  const agent = upByAgent(guest, stop);
  const others = Promise.any([agent, upByPrompt(guest, stop, timeouts)]).then(async (): Promise<SystemUp> => {
    const isWithoutHelper = await askAgent(agent);
    // Where a host is so busy that the boot was slow, so is its end.
    if (!isWithoutHelper) await graceOf(performance.now() - began, timeouts, stop);
    // A login prompt comes before the last services: a helper that has spoken has the last word.
    return isHelped ? await helper : { isWithoutHelper: isWithoutHelper || (await askAgent(agent)) };
  });
  const ends = [
    helper,
    others,
    hopeless(guest, stop, timeouts),
    outOfPatience(guest, stop, timeouts),
    gone(guest),
    aborted(signal),
  ];
  try {
    return await Promise.race(ends);
  } finally {
    done.abort();
    for (const end of [...ends, agent]) end.catch(() => undefined);
  }
}

async function upByHelper(
  guest: Guest,
  stop: AbortSignal,
  timeouts: UpTimeouts,
  onGreeting: () => void,
): Promise<SystemUp> {
  for (;;) {
    const helper = await guest.helper.waitUntilReady(stop);
    onGreeting();
    if (!['initializing', 'starting', 'unknown'].includes(helper.systemState)) return { helper };
    await sleep(timeouts.lookMs, undefined, { signal: stop });
  }
}

async function upByAgent(guest: Guest, stop: AbortSignal): Promise<SystemdVoice> {
  await guest.waitForAgent(stop);
  const systemd = new SystemdVoice(guest, stop);
  await systemd.waitUntilUp();
  return systemd;
}

/** Whether the agent, where it has spoken by now, says that there is no helper. */
async function askAgent(agent: Promise<SystemdVoice>): Promise<boolean> {
  const systemd = await Promise.race([agent, Promise.resolve(undefined)]).catch(() => undefined);
  return (await systemd?.isWithoutHelper().catch(() => false)) ?? false;
}

async function graceOf(bootMs: number, { graceMs, host }: UpTimeouts, stop: AbortSignal): Promise<void> {
  const grace = graceAfter(bootMs, graceMs, host);
  try {
    await new Promise<void>((resolve, reject) => {
      grace.signal.addEventListener('abort', () => resolve(), { once: true });
      stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
    });
  } finally {
    grace.stop();
  }
}

async function upByPrompt(guest: Guest, stop: AbortSignal, timeouts: UpTimeouts): Promise<void> {
  while (!hasLoginPrompt(plainSerial(guest.serialText()))) await sleep(timeouts.lookMs, undefined, { signal: stop });
}

async function hopeless(guest: Guest, stop: AbortSignal, timeouts: UpTimeouts): Promise<never> {
  for (;;) {
    const line = findHopeless(plainSerial(guest.serialText()));
    if (line !== undefined) {
      const message = `The system did not start: ${clip(line.text, 200)}`;
      throw line.isTimeout && isBusy(timeouts.host) ? hostTooSlow(message) : notUp(message);
    }
    await sleep(timeouts.lookMs, undefined, { signal: stop });
  }
}

async function outOfPatience(guest: Guest, stop: AbortSignal, { patience, host }: UpTimeouts): Promise<never> {
  const { why, message } = await endOfPatience(guest, stop, patience, host);
  throw why === 'too_slow' ? hostTooSlow(message) : notUp(message);
}

const notUp = (message: string) => new AppError({ kind: 'unavailable', reason: 'system_not_up', message });

async function gone(guest: Guest): Promise<never> {
  throw guestError('guest_ended', `The guest is gone: ${(await guest.ended).detail}.`);
}

async function aborted(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return await new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
}
