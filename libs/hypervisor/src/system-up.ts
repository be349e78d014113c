import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, clip } from '#libs/platform';
import { guestError } from './guest-error.js';
import type { Guest, HelperGreeting } from './hypervisor.port.js';
import { findHopeless, hasLoginPrompt, plainSerial } from './serial-watch.js';

/** Pauses between looks, and how long who is late may still come; tests shorten them. */
export interface UpPace {
  lookMs: number;
  /** For a helper that has not spoken yet, after the agent or the login prompt said that the system is up; at least half of what the boot took until then. */
  graceMs: number;
  /** For all of it: under emulation on a loaded host a desktop takes minutes. */
  deadlineMs: number;
}

export const usualUpPace: UpPace = { lookMs: 250, graceMs: 20_000, deadlineMs: 15 * 60_000 };

/** The system in a guest is up. */
export interface SystemUp {
  /** Absent where the image has no helper: then nobody can make a clone of this guest a machine of its own. */
  helper?: HelperGreeting;
}

/**
 * Waits until the system in a guest has started, by the word of whoever is in it: its helper, else its agent, else the login prompt.
 * @throws AppError `system_not_up` where it says itself that it will not come up, `guest_ended`, or the signal's reason
 */
export async function waitForSystem(guest: Guest, signal: AbortSignal, pace: UpPace = usualUpPace): Promise<SystemUp> {
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const began = performance.now();
  let isHelped = false;
  const helper = upByHelper(guest, stop, pace, () => (isHelped = true));
  const others = Promise.any([upByAgent(guest, stop, pace), upByPrompt(guest, stop, pace)]).then(async (): Promise<SystemUp> => {
    // Where a host is so busy that the boot was slow, so is its end.
    await sleep(Math.max(pace.graceMs, (performance.now() - began) / 2), undefined, { signal: stop });
    // A login prompt comes before the last services: a helper that has spoken has the last word.
    return isHelped ? await helper : {};
  });
  const ends = [helper, others, hopeless(guest, stop, pace), tooLate(stop, pace), gone(guest), aborted(signal)];
  try {
    return await Promise.race(ends);
  } finally {
    done.abort();
    for (const end of ends) end.catch(() => undefined);
  }
}

async function upByHelper(guest: Guest, stop: AbortSignal, pace: UpPace, onGreeting: () => void): Promise<SystemUp> {
  for (;;) {
    const helper = await guest.helper.waitUntilReady(stop);
    onGreeting();
    if (!['initializing', 'starting', 'unknown'].includes(helper.systemState)) return { helper };
    await sleep(pace.lookMs, undefined, { signal: stop });
  }
}

async function upByAgent(guest: Guest, stop: AbortSignal, pace: UpPace): Promise<void> {
  await guest.waitForAgent(stop);
  await guest.execute('/usr/bin/systemctl', ['is-system-running', '--wait'], { deadlineMs: pace.deadlineMs });
}

async function upByPrompt(guest: Guest, stop: AbortSignal, pace: UpPace): Promise<void> {
  while (!hasLoginPrompt(plainSerial(guest.serialText()))) await sleep(pace.lookMs, undefined, { signal: stop });
}

async function hopeless(guest: Guest, stop: AbortSignal, pace: UpPace): Promise<never> {
  for (;;) {
    const line = findHopeless(plainSerial(guest.serialText()));
    if (line !== undefined) throw notUp(`The system did not start: ${clip(line, 200)}`);
    await sleep(pace.lookMs, undefined, { signal: stop });
  }
}

async function tooLate(stop: AbortSignal, { deadlineMs }: UpPace): Promise<never> {
  await sleep(deadlineMs, undefined, { signal: stop });
  throw notUp(`The system did not come up within ${Math.round(deadlineMs / 1000)} s.`);
}

const notUp = (message: string) => new AppError({ kind: 'unavailable', reason: 'system_not_up', message });

async function gone(guest: Guest): Promise<never> {
  throw guestError('guest_ended', `The guest is gone: ${(await guest.ended).detail}.`);
}

async function aborted(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}
