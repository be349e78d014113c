// Writes libs/hypervisor/src/testing/keyboards.json: what a guest's helper tells of its keyboard, for some layouts. From a real X server and from the keymaps that
// Debian makes for its consoles; needs xvfb, x11-xkb-utils, console-setup and kbd.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const layouts = ['us', 'de', 'fr', 'gb', 'es', 'ru', 'us dvorak', 'us intl', 'ch fr'];
const display = 57;
const dir = mkdtempSync(path.join(os.tmpdir(), 'openfactory-keyboards-'));
const helper = readFileSync(new URL('../libs/hypervisor/guest/openfactory-helper', import.meta.url), 'utf8').replace(
  /^sysopen\(\$port[\s\S]*?^serve\(\);$/m,
  '',
);

/** The tables of a loadkeys --mktable, which is C, as KDGKBENT and KDGKBDIACRUC give them. */
function consoleOf(layout) {
  const [name, variant = ''] = layout.split(' ');
  const keymap = execFileSync('ckbcomp', ['-model', 'pc105', name, variant], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // The accents of Latin-1 are those that the kernel itself begins with.
  const tables = execFileSync('loadkeys', ['-u', '--mktable'], {
    input: keymap + readFileSync('/etc/console-setup/compose.ISO-8859-1.inc', 'utf8'),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const listed = [...(tables.match(/key_maps\[MAX_NR_KEYMAPS\] = \{([\s\S]*?)\}/)?.[1] ?? '').matchAll(/(\w+),/g)].map(
    ([, map]) => map,
  );
  const bytes = Buffer.alloc(1024);
  for (let table = 0; table < 4; table++) {
    const values = [
      ...(tables.match(new RegExp(`${listed[table]}\\[NR_KEYS\\] = \\{([\\s\\S]*?)\\}`))?.[1] ?? '').matchAll(
        /0x([0-9a-f]{4})/g,
      ),
    ].map(([, hex]) => parseInt(hex, 16));
    for (let key = 0; key < 128; key++) bytes.writeUInt16LE((values[key] ?? 0xf200) ^ 0xf000, 2 * (table * 128 + key));
  }
  const accents = [
    ...(tables.match(/accent_table\w*\[MAX_DIACR\] = \{([\s\S]*?)\n\};/)?.[1] ?? '').matchAll(
      /\{('(?:\\.|[^'])+'|0x[0-9a-f]+|\d+), ?('(?:\\.|[^'])+'|0x[0-9a-f]+|\d+), ?('(?:\\.|[^'])+'|0x[0-9a-f]+|\d+)\}/g,
    ),
  ].flatMap(([, ...words]) => words.map(codeOf));
  const packed = Buffer.alloc(accents.length * 4);
  accents.forEach((code, index) => packed.writeUInt32LE(code, 4 * index));
  return { keymap: bytes.toString('base64'), accents: packed.toString('base64') };
}

function codeOf(word) {
  if (!word.startsWith("'")) return Number(word);
  const text = word.slice(1, -1);
  return text.startsWith('\\')
    ? /^\\[0-7]+$/.test(text)
      ? parseInt(text.slice(1), 8)
      : text.codePointAt(1)
    : text.codePointAt(0);
}

const auth = path.join(dir, 'auth');
const counted = (bytes) => Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
const entry = (name, data) =>
  Buffer.concat([
    Buffer.of(1, 0),
    ...[os.hostname(), String(display), name].map((text) => counted(Buffer.from(text))),
    counted(data),
  ]);
writeFileSync(
  auth,
  Buffer.concat([entry('NOT-KNOWN-1', randomBytes(9)), entry('MIT-MAGIC-COOKIE-1', randomBytes(16))]),
);
const server = spawn('Xvfb', [`:${display}`, '-auth', auth, '-nolisten', 'tcp', '-noreset'], { stdio: 'ignore' });
try {
  const asked = path.join(dir, 'ask.pl');
  writeFileSync(
    asked,
    `${helper}\nno warnings 'redefine';\n*x_server = sub { (${display}, '${auth}') };\nprint join ' ', map { to_base64($_) } x11_keyboard();\n`,
  );
  const setUp = (layout) =>
    execFileSync(
      'setxkbmap',
      ['-display', `:${display}`, '-layout', layout.split(' ')[0], '-variant', layout.split(' ')[1] ?? ''],
      { env: { ...process.env, XAUTHORITY: auth }, stdio: 'ignore' },
    );
  for (let tries = 0; ; tries++) {
    try {
      setUp('us');
      break;
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const all = {};
  for (const layout of layouts) {
    setUp(layout);
    const [numbers, keysyms] = execFileSync('perl', [asked], { encoding: 'utf8' })
      .split(' ')
      .map((word) => Buffer.from(word, 'base64'));
    const [first, perKey] = numbers;
    // Up to the last key that gives characters.
    all[layout] = {
      console: consoleOf(layout),
      x11: {
        firstKeycode: first,
        keysymsPerKeycode: perKey,
        keysyms: keysyms.subarray(0, 4 * perKey * (133 - first)).toString('base64'),
      },
    };
  }
  writeFileSync(
    new URL('../libs/hypervisor/src/testing/keyboards.json', import.meta.url),
    `${JSON.stringify(all, undefined, 1)}\n`,
  );
} finally {
  server.kill();
  rmSync(dir, { recursive: true, force: true });
}
