// Writes libs/hypervisor/src/screen/legacy-keysyms.ts: what X11 calls characters beyond Latin-1, where it does not call them by their code point, from noVNC's copy of keysymdef.h.
import { readFileSync, writeFileSync } from 'node:fs';

const source = readFileSync(new URL('../node_modules/@novnc/novnc/core/input/keysymdef.js', import.meta.url), 'utf8');
const pairs = [...source.matchAll(/^ +0x([0-9a-f]{4}): 0x([0-9a-f]{4}),/gm)].map(
  ([, character, keysym]) => `${keysym}${character}`,
);
const lines = pairs.join(' ').match(/.{1,149}(?: |$)/g) ?? [];
writeFileSync(
  new URL('../libs/hypervisor/src/screen/legacy-keysyms.ts', import.meta.url),
  `/** Made by scripts/legacy-keysyms.mjs, not by hand. Four digits of a keysym (X11, keysymdef.h), four of its character. */\nexport const legacyKeysyms =\n${lines.map((line) => `  '${line}'`).join(' +\n')};\n`,
);
