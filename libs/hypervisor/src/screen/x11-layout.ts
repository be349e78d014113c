import type { X11Keyboard } from '../hypervisor.port.js';
import { altGrKey, KeyboardLayout, placeOfKey, strokesOf, type Glyph, type LayoutKey } from './keyboard-layout.js';
import { legacyKeysyms } from './legacy-keysyms.js';

/** X counts the keys of Linux from here. */
const firstKey = 8;
/** Places in the core protocol's list of a key, of the first group: alone, shift, AltGr, both (XKB protocol, 12.4); between them is the second group. */
const levelPlaces = [0, 1, 4, 5];
const levelThreeShift = 0xfe03;
const modeSwitch = 0xff7e;

const legacy = new Map(
  legacyKeysyms
    .split(' ')
    .map((pair) => [parseInt(pair.slice(0, 4), 16), String.fromCharCode(parseInt(pair.slice(4), 16))]),
);

/** Dead keys (keysymdef.h), by the combining character that each adds, and by what it gives before a blank. */
const deadKeys: [keysym: number, combining: string, alone?: string][] = [
  [0xfe50, '\u0300', '`'],
  [0xfe51, '\u0301', "'"],
  [0xfe52, '\u0302', '^'],
  [0xfe53, '\u0303', '~'],
  [0xfe54, '\u0304'],
  [0xfe55, '\u0306'],
  [0xfe56, '\u0307'],
  [0xfe57, '\u0308', '"'],
  [0xfe58, '\u030a'],
  [0xfe59, '\u030b'],
  [0xfe5a, '\u030c'],
  [0xfe5b, '\u0327'],
  [0xfe5c, '\u0328'],
];
const combiningOf = new Map(deadKeys.map(([keysym, combining]) => [keysym, combining]));

/** The layout of a desktop, from its X server. Undefined where its answer makes no sense. */
export function x11Layout({
  firstKeycode,
  keysymsPerKeycode,
  keysyms,
}: Omit<X11Keyboard, 'screen'>): KeyboardLayout | undefined {
  if (keysymsPerKeycode < 1 || keysyms.length % 4 !== 0) return undefined;
  const keysymAt = (key: number, place: number) => {
    const at = 4 * ((key + firstKey - firstKeycode) * keysymsPerKeycode + place);
    return place < keysymsPerKeycode && at >= 0 && at + 4 <= keysyms.length ? keysyms.readUInt32LE(at) : 0;
  };
  const places = [levelThreeShift, modeSwitch].includes(keysymAt(altGrKey, 0)) ? levelPlaces : levelPlaces.slice(0, 2);
  const keys = [...placeOfKey].map(([key, place]): LayoutKey => ({
    place,
    levels: places.map((level) => glyphOf(keysymAt(key, level))),
  }));
  const strokes = strokesOf(keys, composed());
  return strokes.size > 0 ? new KeyboardLayout('the keyboard of its desktop', strokes) : undefined;
}

function glyphOf(keysym: number): Glyph | undefined {
  const mark = combiningOf.get(keysym);
  if (mark !== undefined) return { mark };
  const isLatin = (keysym >= 0x20 && keysym <= 0x7e) || (keysym >= 0xa0 && keysym <= 0xff);
  const code = isLatin ? keysym : keysym >= 0x01000100 && keysym <= 0x0110ffff ? keysym - 0x01000000 : undefined;
  const character = code === undefined ? legacy.get(keysym) : String.fromCodePoint(code);
  return character === undefined ? undefined : { character };
}

/** What every toolkit makes of a dead key and a letter: Unicode's own composition; and of a dead key and a blank. */
function* composed(): Generator<[string, string, string]> {
  for (const [, mark, alone] of deadKeys) if (alone !== undefined) yield [mark, ' ', alone];
  for (let code = 0xc0; code < 0x250; code++) {
    const result = String.fromCodePoint(code);
    const [base, mark, ...more] = result.normalize('NFD');
    if (base !== undefined && mark !== undefined && more.length === 0) yield [mark, base, result];
  }
}
