import type { ConsoleKeyboard } from '../hypervisor.port.js';
import { altGrKey, KeyboardLayout, placeOfKey, strokesOf, type Glyph, type LayoutKey } from './keyboard-layout.js';

/** Keys in a table of the kernel's keymap; tables are by what is held: none, shift, AltGr, both (ioctl_console(2), KDGKBENT). */
const tableKeys = 128;
const tables = 4;
/** Types of an entry (linux/keyboard.h). One of no type is a character of Unicode. */
const latin = 0;
const dead = 4;
const letter = 11;
const dead2 = 13;
const types = 16;
const unicodeMask = 0xf000;
const altGr = 0x0701;
/** What dead keys stand for, by their numbers (Linux, drivers/tty/vt/keyboard.c, k_dead). */
const marks = '`\'^~",_U.*=cki#o!?+-)(:n;$@';

/** The layout of the text console, from the kernel's own tables. Undefined where they make no sense. */
export function consoleLayout({
  keymap,
  accents,
  isCapsLocked,
}: Omit<ConsoleKeyboard, 'screen'>): KeyboardLayout | undefined {
  if (keymap.length !== 2 * tables * tableKeys || accents.length % 12 !== 0) return undefined;
  const entry = (table: number, key: number) => keymap.readUInt16LE(2 * (table * tableKeys + key));
  const isLetter = (value: number) => value >> 8 === letter;
  // Caps Lock makes the other table of a letter's key speak, and of no other key's.
  const effective = (table: number, key: number) =>
    isCapsLocked && isLetter(entry(table, key)) ? entry(table ^ 1, key) : entry(table, key);
  const levels = entry(0, altGrKey) === altGr ? [0, 1, 2, 3] : [0, 1];
  const keys = [...placeOfKey].map(([key, place]): LayoutKey => ({
    place,
    levels: levels.map((table) => glyphOf(effective(table, key))),
  }));
  const strokes = strokesOf(keys, accentsOf(accents));
  return strokes.size > 0 ? new KeyboardLayout('the keymap of its text console', strokes) : undefined;
}

function glyphOf(entry: number): Glyph | undefined {
  const [type, value] = [entry >> 8, entry & 0xff];
  if (type === latin || type === letter)
    return value >= 0x20 && value !== 0x7f ? { character: String.fromCharCode(value) } : undefined;
  const mark = type === dead ? marks.charAt(value) : type === dead2 ? String.fromCharCode(value) : '';
  if (mark) return { mark };
  const character = String.fromCodePoint(entry ^ unicodeMask);
  return type >= types && !/[\p{C}\p{M}]/u.test(character) ? { character } : undefined;
}

/** Triples of mark, base and result, four bytes each (KDGKBDIACRUC). A blank, or the mark again, gives the mark itself. */
function* accentsOf(bytes: Buffer): Generator<[string, string, string]> {
  for (const mark of marks) yield [mark, ' ', mark];
  for (let at = 0; at + 12 <= bytes.length; at += 12) {
    const [mark, base, result] = [0, 4, 8].map((offset) => bytes.readUInt32LE(at + offset)) as [number, number, number];
    if (Math.max(mark, base, result) <= 0x10ffff)
      yield [String.fromCodePoint(mark), String.fromCodePoint(base), String.fromCodePoint(result)];
  }
}
