import { nearestName } from '#libs/platform';

/** A key press: QKeyCodes (QAPI, ui.json of QEMU) in the order they go down. */
export type Chord = readonly string[];

const symbols = new Map([
  [' ', 'spc'],
  ['\n', 'ret'],
  ['\t', 'tab'],
  ['-', 'minus'],
  ['=', 'equal'],
  ['[', 'bracket_left'],
  [']', 'bracket_right'],
  ['\\', 'backslash'],
  [';', 'semicolon'],
  ["'", 'apostrophe'],
  ['`', 'grave_accent'],
  [',', 'comma'],
  ['.', 'dot'],
  ['/', 'slash'],
]);
const shifted = new Map(
  [...'~!@#$%^&*()_+{}|:"<>?'].map((character, index) => [character, "`1234567890-=[]\\;',./".charAt(index)]),
);

/** The keys that give this character on the US layout, which our images have; undefined beyond it. */
export function chordOf(character: string): Chord | undefined {
  if (/^[a-z0-9]$/.test(character)) return [character];
  if (/^[A-Z]$/.test(character)) return ['shift', character.toLowerCase()];
  const plain = symbols.get(character);
  if (plain) return [plain];
  const below = shifted.get(character);
  return below === undefined ? undefined : ['shift', ...(chordOf(below) ?? [])];
}

const modifiers = new Set(['shift', 'shift_r', 'ctrl', 'ctrl_r', 'alt', 'alt_r', 'meta_l', 'meta_r']);

/** QKeyCode: its names, the first as X11 (keysymdef.h) and xdotool(1) write it. */
const keyNames: Record<string, readonly string[]> = {
  ret: ['Return', 'Enter', 'Newline'],
  tab: ['Tab'],
  esc: ['Escape', 'Esc'],
  backspace: ['BackSpace'],
  delete: ['Delete', 'Del'],
  insert: ['Insert', 'Ins'],
  spc: ['space', 'spacebar'],
  home: ['Home'],
  end: ['End'],
  pgup: ['Page_Up', 'PageUp', 'PgUp', 'Prior'],
  pgdn: ['Page_Down', 'PageDown', 'PgDn', 'Next'],
  up: ['Up', 'ArrowUp', 'up_arrow'],
  down: ['Down', 'ArrowDown', 'down_arrow'],
  left: ['Left', 'ArrowLeft', 'left_arrow'],
  right: ['Right', 'ArrowRight', 'right_arrow'],
  ctrl: ['ctrl', 'control', 'Control_L', 'ctrl_l'],
  ctrl_r: ['Control_R', 'ctrl_r'],
  shift: ['shift', 'Shift_L'],
  shift_r: ['Shift_R'],
  alt: ['alt', 'Alt_L', 'option'],
  alt_r: ['Alt_R', 'AltGr', 'ISO_Level3_Shift'],
  meta_l: ['super', 'Super_L', 'meta', 'Meta_L', 'win', 'windows', 'cmd', 'command'],
  meta_r: ['Super_R', 'Meta_R'],
  menu: ['Menu', 'ContextMenu'],
  caps_lock: ['Caps_Lock', 'CapsLock'],
  num_lock: ['Num_Lock', 'NumLock'],
  scroll_lock: ['Scroll_Lock', 'ScrollLock'],
  print: ['Print', 'PrintScreen', 'Print_Screen', 'PrtSc'],
  sysrq: ['Sys_Req', 'SysRq'],
  pause: ['Pause', 'Break'],
  minus: ['minus'],
  equal: ['equal'],
  bracket_left: ['bracketleft'],
  bracket_right: ['bracketright'],
  backslash: ['backslash'],
  semicolon: ['semicolon'],
  apostrophe: ['apostrophe', 'quoteright'],
  grave_accent: ['grave', 'quoteleft'],
  comma: ['comma'],
  dot: ['period', 'dot'],
  slash: ['slash'],
  kp_enter: ['KP_Enter'],
  kp_add: ['KP_Add'],
  kp_subtract: ['KP_Subtract'],
  kp_multiply: ['KP_Multiply'],
  kp_divide: ['KP_Divide'],
  kp_decimal: ['KP_Decimal'],
  ...Object.fromEntries([...'0123456789'].map((digit) => [`kp_${digit}`, [`KP_${digit}`]])),
  ...Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index + 1}`, [`F${index + 1}`]])),
};

/** X11's names of characters that need shift on the US layout. */
const characterNames: Record<string, string> = {
  plus: '+',
  underscore: '_',
  asciitilde: '~',
  exclam: '!',
  at: '@',
  numbersign: '#',
  dollar: '$',
  percent: '%',
  asciicircum: '^',
  ampersand: '&',
  asterisk: '*',
  parenleft: '(',
  parenright: ')',
  braceleft: '{',
  braceright: '}',
  bar: '|',
  colon: ':',
  quotedbl: '"',
  less: '<',
  greater: '>',
  question: '?',
};

/** Keys that are known by what they give on the US layout. */
const usNames: Record<string, string> = {
  minus: '-',
  equal: '=',
  bracketleft: '[',
  bracketright: ']',
  backslash: '\\',
  semicolon: ';',
  apostrophe: "'",
  quoteright: "'",
  grave: '`',
  quoteleft: '`',
  comma: ',',
  period: '.',
  dot: '.',
  slash: '/',
};
const charactersByName = new Map(Object.entries({ ...characterNames, ...usNames }));
const characterOf = (name: string): string => charactersByName.get(name.toLowerCase()) ?? name;
/** Whether a name stands for a character, wherever the layout has it. */
export const isCharacterName = (name: string): boolean => characterOf(name).length === 1;

const chords = new Map<string, Chord>([
  ...Object.entries(keyNames).flatMap(([code, names]) =>
    names.map((name): [string, Chord] => [name.toLowerCase(), [code]]),
  ),
  ...Object.entries(characterNames).map(([name, character]): [string, Chord] => [name, chordOf(character) ?? []]),
]);
const properNames = new Map(
  [...Object.values(keyNames).flat(), ...Object.keys(characterNames)].map((name) => [name.toLowerCase(), name]),
);

/** A combination as xdotool(1) writes it, such as `Return`, `ctrl+c`, `alt+F4`, `ctrl++`, taken apart into its names. */
export function splitCombination(combination: string): string[] {
  if (combination === '+') return ['+'];
  // The plus key stands only at the end, where the separator cannot.
  const names = combination.endsWith('++') ? [...combination.slice(0, -2).split('+'), '+'] : combination.split('+');
  return names.map((name) => (name.length > 1 ? name.trim() : name));
}

/** The key of this name, in whatever case it is written, or a character of the US layout; undefined for no key that there is. */
export function findKey(name: string): Chord | undefined {
  return chords.get(name.toLowerCase()) ?? chordOf(name);
}

/** The key that somebody probably meant. */
export function nearestKey(name: string): string | undefined {
  return properNames.get(nearestName(name, [...properNames.keys()]) ?? '');
}

/**
 * What goes down, in order, for keys held together; characters by the layout that is given, where one stroke of it gives them. In `ctrl+C` the capital
 * is how people write it, not a shift.
 */
export function chordOfNames(
  names: readonly string[],
  layout?: { strokesOf(character: string): readonly Chord[] | undefined },
): Chord {
  const chord = (name: string): Chord => {
    const [stroke, ...more] = layout?.strokesOf(characterOf(name)) ?? [];
    return (more.length === 0 && stroke) || (findKey(name) ?? []);
  };
  const keys = names.map((name) => chord(names.length > 1 && /^[A-Z]$/.test(name) ? name.toLowerCase() : name)).flat();
  return [...new Set([...keys.filter((key) => modifiers.has(key)), ...keys.filter((key) => !modifiers.has(key))])];
}
