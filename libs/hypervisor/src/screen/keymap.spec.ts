import { describe, expect, it } from '@jest/globals';
import { chordOf, chordOfNames, findKey, nearestKey, splitCombination } from './keymap.js';

describe('the keys of text', () => {
  it('are those of the US layout, for every character that it has', () => {
    const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
    const chords = [...ascii].map((character) => (chordOf(character) ?? []).join('+'));
    expect(new Set(chords).size).toBe(95);
    expect(chordOf('a')).toEqual(['a']);
    expect(chordOf('A')).toEqual(['shift', 'a']);
    expect(chordOf('@')).toEqual(['shift', '2']);
    expect(chordOf('~')).toEqual(['shift', 'grave_accent']);
    expect(chordOf('?')).toEqual(['shift', 'slash']);
    expect(chordOf('\n')).toEqual(['ret']);
  });

  it.each(['€', '漢', 'é', '😀', '\u0000', '\u00a0'])('are none for %j', (character) => {
    expect(chordOf(character)).toBeUndefined();
  });
});

describe('key names', () => {
  it.each([
    ['Return', ['ret']],
    ['enter', ['ret']],
    ['ESCAPE', ['esc']],
    ['BackSpace', ['backspace']],
    ['Page_Up', ['pgup']],
    ['pagedown', ['pgdn']],
    ['super', ['meta_l']],
    ['alt+F4', ['alt', 'f4']],
    ['ctrl+c', ['ctrl', 'c']],
    ['Ctrl+C', ['ctrl', 'c']],
    ['c+ctrl', ['ctrl', 'c']],
    ['ctrl+alt+Delete', ['ctrl', 'alt', 'delete']],
    ['ctrl++', ['ctrl', 'shift', 'equal']],
    ['ctrl+plus', ['ctrl', 'shift', 'equal']],
    ['+', ['shift', 'equal']],
    ['A', ['shift', 'a']],
    ['shift+a', ['shift', 'a']],
    [' ', ['spc']],
    ['ctrl + c', ['ctrl', 'c']],
    ['F12', ['f12']],
    ['KP_5', ['kp_5']],
  ])('%s', (combination, keys) => {
    const names = splitCombination(combination);
    expect(names.every((name) => findKey(name))).toBe(true);
    expect(chordOfNames(names)).toEqual(keys);
  });

  it.each(['', 'Retrun', 'F13', 'é', 'ctrl+', '++', 'constructor'])('%j is none', (combination) => {
    expect(splitCombination(combination).every((name) => findKey(name))).toBe(false);
  });

  it('are suggested in their proper spelling', () => {
    expect(nearestKey('retrun')).toBe('Return');
    expect(nearestKey('PageUpp')).toBe('PageUp');
    expect(nearestKey('qqqqqqqqqq')).toBeUndefined();
  });
});
