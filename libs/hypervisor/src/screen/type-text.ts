import { AppError, clip, errorMessage, hostTimeout, invalid, untilAborted } from '#libs/platform';
import type { Guest } from '../hypervisor.port.js';
import { consoleLayout } from './console-layout.js';
import type { HeldInputs } from './held-inputs.js';
import { assumedLayout, type KeyboardLayout } from './keyboard-layout.js';
import { x11Layout } from './x11-layout.js';

/** An emulated guest loses keys that come faster than about 50 a second. */
const keyDownMs = 15;
const betweenKeysMs = 15;
/** The helper takes 4096 bytes of UTF-8 at once, and a character has up to four. */
const charactersAtOnce = 1000;
/** A helper that runs answers in milliseconds. */
const helperDeadlineMs = 5000;
/** How long a guest whose helper never answered is not asked again: each time costs that deadline. */
const silentMs = 60_000;
const silentUntil = new WeakMap<Guest, number>();
/** Those whose helper did: one that is late is asked again the next time. */
const heard = new WeakSet<Guest>();

export interface Typist {
  guest: Guest;
  hands: HeldInputs;
  /** Rejects with the reason of whoever broke it off. */
  pause: (ms: number) => Promise<void>;
  signal: AbortSignal;
}

/** The layout of the screen that the guest shows now, by its helper's word; else the one that most have. */
export async function layoutOf(guest: Guest, signal: AbortSignal): Promise<KeyboardLayout> {
  if ((silentUntil.get(guest) ?? 0) > performance.now()) return assumedLayout;
  const patience = hostTimeout(helperDeadlineMs);
  try {
    const told = await untilAborted(guest.helper.keyboard(), AbortSignal.any([signal, patience.signal]));
    heard.add(guest);
    const found = told.screen === 'console' ? consoleLayout(told) : told.screen === 'x11' ? x11Layout(told) : undefined;
    return found ?? assumedLayout;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError && error.reason === 'guest_ended') throw error;
    if (!heard.has(guest)) silentUntil.set(guest, performance.now() + silentMs);
    return assumedLayout;
  } finally {
    patience.stop();
  }
}

/**
 * By keys where the guest's layout has them all, else by its helper as a whole: two ways at once would mix the order.
 * @returns the layout, where keys were pressed
 * @throws AppError `untypeable_text`, `guest_peer_failed`, `guest_ended`
 */
export async function typeText(
  { guest, hands, pause, signal }: Typist,
  text: string,
): Promise<KeyboardLayout | undefined> {
  const lines = linesOf(text);
  const layout = await layoutOf(guest, signal);
  if (layout.lackingIn(lines).length > 0) {
    await typeByHelper({ guest, layout, signal }, lines);
    return undefined;
  }
  for (const chord of [...lines].flatMap((character) => layout.strokesOf(character) ?? [])) {
    await hands.pressKeys(chord);
    await pause(keyDownMs);
    await hands.release();
    await pause(betweenKeysMs);
  }
  return layout;
}

/** What can be known before anything is performed. @throws AppError `untypeable_text` where nothing in the guest could type this text */
export async function checkTypeable({ guest, signal }: Pick<Typist, 'guest' | 'signal'>, text: string): Promise<void> {
  // Every layout that is known has these, or its guest has a helper.
  if (assumedLayout.lackingIn(linesOf(text)).length === 0) return;
  const layout = await layoutOf(guest, signal);
  if (layout !== assumedLayout) return;
  const patience = hostTimeout(helperDeadlineMs);
  try {
    await guest.helper.waitUntilReady(AbortSignal.any([signal, patience.signal]));
  } catch {
    signal.throwIfAborted();
    throw untypeable(text, layout, 'the helper in the guest, which could type it, does not answer');
  } finally {
    patience.stop();
  }
}

async function typeByHelper(
  { guest, layout, signal }: { guest: Guest; layout: KeyboardLayout; signal: AbortSignal },
  text: string,
): Promise<void> {
  const characters = [...text];
  for (let from = 0; from < characters.length; from += charactersAtOnce) {
    signal.throwIfAborted();
    await guest.helper.type(characters.slice(from, from + charactersAtOnce).join('')).catch((error: unknown) => {
      if (error instanceof AppError && error.reason === 'guest_ended') throw error;
      throw untypeable(text, layout, `the helper in the guest could not type it (${errorMessage(error)})`);
    });
  }
}

const linesOf = (text: string) => text.replace(/\r\n?/g, '\n');

function untypeable(text: string, layout: KeyboardLayout, why: string): AppError {
  const strange = layout.lackingIn(linesOf(text)).slice(0, 10).join(' ');
  return invalid(
    'untypeable_text',
    `The text has characters that no key gives (${clip(strange)}) on ${layout.name}, and ${why}.`,
    'Type these characters by other means of the guest, such as a compose key or an escape of its shell.',
  );
}
