import { AppError, clip, errorMessage, invalid } from '#libs/platform';
import type { Guest } from '../hypervisor.port.js';
import type { HeldInputs } from './held-inputs.js';
import { chordOf, isTypeable } from './keymap.js';

/** An emulated guest loses keys that come faster than about 50 a second. */
const keyDownMs = 15;
const betweenKeysMs = 15;
/** The helper takes 4096 bytes of UTF-8 at once, and a character has up to four. */
const charactersAtOnce = 1000;
/** A helper that runs answers in milliseconds, in an emulated guest under load in a second. */
const helperDeadlineMs = 5000;

export interface Typist {
  guest: Guest;
  hands: HeldInputs;
  /** Rejects with the reason of whoever broke it off. */
  pause: (ms: number) => Promise<void>;
  signal: AbortSignal;
}

/** The part of a guest's helper that types what the keyboard cannot. */
interface TextHelper {
  waitUntilReady(signal: AbortSignal): Promise<unknown>;
  type(text: string): Promise<void>;
}

/**
 * By keys where the US layout has them all, else by the guest's helper as a whole: two ways at once would mix the order.
 * @throws AppError `untypeable_text`, `guest_peer_failed`, `guest_ended`
 */
export async function typeText({ guest, hands, pause, signal }: Typist, text: string): Promise<void> {
  const lines = linesOf(text);
  if (!isTypeable(lines)) return await typeByHelper(guest, lines, signal);
  for (const character of lines) {
    await hands.pressKeys(chordOf(character) ?? []);
    await pause(keyDownMs);
    await hands.release();
    await pause(betweenKeysMs);
  }
}

/** What can be known before anything is performed. @throws AppError `untypeable_text` where nothing in the guest could type this text */
export async function checkTypeable({ guest, signal }: Pick<Typist, 'guest' | 'signal'>, text: string): Promise<void> {
  if (isTypeable(linesOf(text))) return;
  const helper = textHelperOf(guest);
  if (!helper) throw untypeable(text, 'this guest has no helper that could type it');
  await helper.waitUntilReady(AbortSignal.any([signal, AbortSignal.timeout(helperDeadlineMs)])).catch(() => {
    signal.throwIfAborted();
    throw untypeable(text, 'the helper in the guest, which could type it, does not answer');
  });
}

async function typeByHelper(guest: Guest, text: string, signal: AbortSignal): Promise<void> {
  const characters = [...text];
  for (let from = 0; from < characters.length; from += charactersAtOnce) {
    signal.throwIfAborted();
    await textHelperOf(guest)
      ?.type(characters.slice(from, from + charactersAtOnce).join(''))
      .catch((error: unknown) => {
        if (error instanceof AppError && error.reason === 'guest_ended') throw error;
        throw untypeable(text, `the helper in the guest could not type it (${errorMessage(error)})`);
      });
  }
}

/** Guests of a hypervisor without such a helper have none. */
function textHelperOf(guest: Guest & { helper?: TextHelper }): TextHelper | undefined {
  return guest.helper;
}

const linesOf = (text: string) => text.replace(/\r\n?/g, '\n');

function untypeable(text: string, why: string): AppError {
  const strange = [...new Set(linesOf(text))].filter((character) => !chordOf(character)).slice(0, 10).join(' ');
  return invalid('untypeable_text', `The text has characters beyond the US keyboard layout (${clip(strange)}), and ${why}.`, 'Type these characters by other means of the guest, such as a compose key or an escape of its shell.');
}
