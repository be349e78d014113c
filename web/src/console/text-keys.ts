export interface KeyPress {
  keysym: number;
  isShifted: boolean;
}

const shiftedSymbols = '~!@#$%^&*()_+{}|:"<>?';
const returnKeysym = 0xff0d;
const tabKeysym = 0xff09;

/** The key that gives a character on the US layout, which guests have; undefined where it has none. For ASCII the X11 keysym is the code (keysymdef.h). */
export function keyOf(character: string): KeyPress | undefined {
  if (character === '\n') return { keysym: returnKeysym, isShifted: false };
  if (character === '\t') return { keysym: tabKeysym, isShifted: false };
  if (!/^[ -~]$/.test(character)) return undefined;
  return { keysym: character.charCodeAt(0), isShifted: /[A-Z]/.test(character) || shiftedSymbols.includes(character) };
}

/** The characters that no key gives, each once. */
export function untypeable(text: string): string[] {
  return [...new Set(text.replace(/\r\n?/g, '\n'))].filter((character) => !keyOf(character));
}
