import { chordOf, type Chord } from './keymap.js';

/** Which keys give which characters in a guest: more than one stroke where a dead key comes first. */
export class KeyboardLayout {
  readonly #strokes: ReadonlyMap<string, readonly Chord[]>;

  /** @param name in words: whose layout it is, and how that is known */
  constructor(
    readonly name: string,
    strokes: Iterable<readonly [string, readonly Chord[]]>,
  ) {
    this.#strokes = new Map([...strokes, ...fixed]);
  }

  strokesOf(character: string): readonly Chord[] | undefined {
    return this.#strokes.get(character);
  }

  /** What it cannot give of a text, each character once. */
  lackingIn(text: string): string[] {
    return [...new Set(text)].filter((character) => !this.#strokes.has(character));
  }
}

/** On whatever layout. */
const fixed: [string, readonly Chord[]][] = [
  ['\n', [['ret']]],
  ['\t', [['tab']]],
  [' ', [['spc']]],
];

const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
const usStrokes = ascii.map((character): [string, Chord[]] => [character, [chordOf(character) ?? []]]);

/** Of a guest that does not tell. */
export const assumedLayout = new KeyboardLayout('the US layout, because the guest did not say which it has', usStrokes);

/** A key of a layout by what it gives alone, with shift, with AltGr, with both; undefined: nothing, or no character. */
export interface LayoutKey {
  place: string;
  levels: readonly (Glyph | undefined)[];
}

/** A character, or the mark of a dead key, which the next key gets. */
export type Glyph = { character: string } | { mark: string };

/** Held for each level. */
const holds: readonly (readonly string[])[] = [[], ['shift'], ['alt_r'], ['shift', 'alt_r']];

/** @param accents what a dead key makes of a character: mark, character, result */
export function strokesOf(
  keys: readonly LayoutKey[],
  accents: Iterable<readonly [string, string, string]>,
): Map<string, Chord[]> {
  const strokes = new Map<string, Chord[]>();
  const marks = new Map<string, Chord>();
  // The simplest way to each: all keys alone, then all with shift.
  for (const [level, held] of holds.entries()) {
    for (const { place, levels } of keys) {
      const glyph = levels[level];
      if (!glyph) continue;
      const chord = [...held, place];
      if ('character' in glyph) strokes.set(glyph.character, strokes.get(glyph.character) ?? [chord]);
      else marks.set(glyph.mark, marks.get(glyph.mark) ?? chord);
    }
  }
  const direct = new Map<string, Chord[]>([...strokes, [' ', [['spc']]]]);
  for (const [mark, base, result] of accents) {
    const [dead, plain] = [marks.get(mark), direct.get(base)];
    if (dead && plain && !strokes.has(result)) strokes.set(result, [dead, ...plain]);
  }
  return strokes;
}

/**
 * Keys that give characters, by their number in Linux (input-event-codes.h), and what QEMU calls them (QKeyCode, QAPI): both name the place, by what it gives on the US layout.
 */
export const placeOfKey = new Map<number, string>([
  ...run(2, ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0', 'minus', 'equal']),
  ...run(16, [...'qwertyuiop', 'bracket_left', 'bracket_right']),
  ...run(30, [...'asdfghjkl', 'semicolon', 'apostrophe', 'grave_accent']),
  ...run(43, ['backslash', ...'zxcvbnm', 'comma', 'dot', 'slash']),
  [57, 'spc'],
  [86, 'less'],
  [89, 'ro'],
  [124, 'yen'],
]);
export const altGrKey = 100;

function run(first: number, places: readonly string[]): [number, string][] {
  return places.map((place, index) => [first + index, place]);
}
