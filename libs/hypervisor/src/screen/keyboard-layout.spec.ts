import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { consoleLayout } from './console-layout.js';
import { assumedLayout, type KeyboardLayout } from './keyboard-layout.js';
import { chordOfNames } from './keymap.js';
import { x11Layout } from './x11-layout.js';

/** What real consoles and a real X server said (scripts/test-keyboards.mjs). */
interface Told {
  console: { keymap: string; accents: string };
  x11: { firstKeycode: number; keysymsPerKeycode: number; keysyms: string };
}
const told = JSON.parse(readFileSync(new URL('../testing/keyboards.json', import.meta.url), 'utf8')) as Record<
  string,
  Told
>;
const bytes = (base64: string) => Buffer.from(base64, 'base64');
const console = (name: string, isCapsLocked = false) =>
  consoleLayout({
    keymap: bytes(told[name]!.console.keymap),
    accents: bytes(told[name]!.console.accents),
    isCapsLocked,
  })!;
const desktop = (name: string) => x11Layout({ ...told[name]!.x11, keysyms: bytes(told[name]!.x11.keysyms) })!;
const both = (name: string): [string, KeyboardLayout][] => [
  ['console', console(name)],
  ['desktop', desktop(name)],
];
const strokes = (layout: KeyboardLayout, character: string) =>
  layout
    .strokesOf(character)
    ?.map((chord) => chord.join('+'))
    .join(' ');
const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');

describe('the layout of a guest', () => {
  it.each<[string, string, Record<string, string>]>([
    ['us', 'no', { z: 'z', '-': 'minus', '/': 'slash', '@': 'shift+2', '~': 'shift+grave_accent' }],
    [
      'de',
      'äöüÄÖÜß€µ',
      {
        z: 'y',
        y: 'z',
        Z: 'shift+y',
        '-': 'slash',
        '/': 'shift+7',
        '@': 'alt_r+q',
        '|': 'alt_r+less',
        '"': 'shift+2',
        '^': 'grave_accent spc',
        ü: 'bracket_left',
        '€': 'alt_r+e',
        é: 'equal e',
        À: 'shift+equal shift+a',
      },
    ],
    ['fr', 'éèçàù', { a: 'q', q: 'a', m: 'semicolon', '1': 'shift+1', '&': '1', '@': 'alt_r+0', '/': 'shift+dot' }],
    ['gb', '£', { '"': 'shift+2', '@': 'shift+apostrophe', '#': 'backslash', '|': 'shift+less' }],
    ['es', 'ñÑáÉ', { ñ: 'semicolon', '@': 'alt_r+2', '/': 'shift+7', á: 'apostrophe a', ü: 'shift+apostrophe u' }],
    ['us dvorak', 'no', { a: 'a', s: 'semicolon', z: 'slash', '/': 'bracket_left', '-': 'apostrophe', '[': 'minus' }],
    ['us intl', 'éñ', { "'": 'alt_r+apostrophe', é: 'alt_r+e', â: 'shift+6 a' }],
    ['ch fr', 'éèàç', { z: 'y', '@': 'alt_r+2', '-': 'slash' }],
  ])('%s has all of ASCII and %s, each on its own keys, on console and desktop', (name, more, expected) => {
    for (const [where, layout] of both(name)) {
      expect([where, layout.lackingIn(`${ascii}${more}\n\t`)]).toEqual([where, []]);
      for (const [character, keys] of Object.entries(expected))
        expect([where, character, strokes(layout, character)]).toEqual([where, character, keys]);
      // No two characters by the same strokes: never another one than what was asked for.
      const given = [...ascii].map((character) => strokes(layout, character));
      expect(new Set(given).size).toBe(ascii.length);
    }
  });

  it('ru has its own letters and no others, which it says', () => {
    for (const [, layout] of both('ru')) {
      expect(layout.lackingIn('Привет, мир')).toEqual([]);
      expect(layout.lackingIn('ls')).toEqual(['l', 's']);
      expect([strokes(layout, 'й'), strokes(layout, 'Ж')]).toEqual(['q', 'shift+semicolon']);
    }
  });

  it('of a console with Caps Lock is the other way round for letters alone', () => {
    const locked = console('de', true);
    expect([strokes(locked, 'a'), strokes(locked, 'A'), strokes(locked, '1'), strokes(locked, '!')]).toEqual([
      'shift+a',
      'a',
      '1',
      'shift+1',
    ]);
  });

  it('names what it lacks, each once', () => {
    expect(assumedLayout.lackingIn('漢a漢€')).toEqual(['漢', '€']);
    for (const [, layout] of both('de')) expect(layout.lackingIn('a漢😀b')).toEqual(['漢', '😀']);
  });

  it.each<[string, () => unknown]>([
    [
      'too short a keymap',
      () => consoleLayout({ keymap: Buffer.alloc(10), accents: Buffer.alloc(0), isCapsLocked: false }),
    ],
    [
      'a keymap of nothing',
      () => consoleLayout({ keymap: Buffer.alloc(1024), accents: Buffer.alloc(12, 0xff), isCapsLocked: false }),
    ],
    ['no keysyms', () => x11Layout({ firstKeycode: 8, keysymsPerKeycode: 0, keysyms: Buffer.alloc(0) })],
    [
      'keysyms of nothing',
      () => x11Layout({ firstKeycode: 255, keysymsPerKeycode: 255, keysyms: Buffer.alloc(4_000, 0xff) }),
    ],
  ])('is none of %s', (_what, make) => expect(make()).toBeUndefined());

  it('moves the characters of key combinations, and nothing else', () => {
    const de = console('de');
    expect(chordOfNames(['ctrl', 'z'], de)).toEqual(['ctrl', 'y']);
    expect(chordOfNames(['ctrl', 'C'], de)).toEqual(['ctrl', 'c']);
    expect(chordOfNames(['slash'], de)).toEqual(['shift', '7']);
    expect(chordOfNames(['ctrl', '+'], de)).toEqual(['ctrl', 'bracket_right']);
    expect(chordOfNames(['alt', 'F4'], de)).toEqual(['alt', 'f4']);
    // What takes a dead key, or is not there at all, is the key of that place.
    expect(chordOfNames(['ctrl', '^'], de)).toEqual(['ctrl', 'shift', '6']);
    expect(chordOfNames(['ctrl', 'c'], console('ru'))).toEqual(['ctrl', 'c']);
  });
});
