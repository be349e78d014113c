import { describe, expect, it } from '@jest/globals';
import { asLines, asText, plainText } from './program-output.js';

const bytesOf = (text: string) => [...Buffer.from(text)].map((byte) => Buffer.of(byte));

describe('what a program prints', () => {
  it('keeps characters whole that come in two pieces', () => {
    let text = '';
    const take = asText((piece) => (text += piece));
    expect(bytesOf('Grüße, 世界 😀').map((byte) => take(byte))).toEqual(bytesOf('Grüße, 世界 😀').map(() => undefined));
    expect(text).toBe('Grüße, 世界 😀');
  });

  it('comes as lines, and sequences that come in pieces go as wholes', () => {
    const lines: string[] = [];
    const take = asLines((line) => lines.push(line));
    bytesOf(
      '\u001b[1;32mSetting up é\u001b[0m ...\r\n\u001b]0;a title of its own\u0007done\n10%\r 55%\r100%\nno newline',
    ).forEach(take);
    expect(lines).toEqual(['Setting up é ...', 'done', '100%']);
  });

  it('holds no more of a line without an end than it must', () => {
    const lines: string[] = [];
    const take = asLines((line) => lines.push(line));
    for (let times = 0; times < 100; times++) take(Buffer.alloc(10_000, 'x'));
    take(Buffer.from('end\n'));
    expect(lines.map((line) => [line.length <= 16_387, line.endsWith('end')])).toEqual([[true, true]]);
  });

  it.each([
    ['colours', '\u001b[32mok\u001b[0m \u009b1mx', 'ok x'],
    ['a cursor that is moved, and private modes', '\u001b[2J\u001b[01;01H\u001b[?25lx\u001b[4 q', 'x'],
    ['a title with spaces', '\u001b]0;user@host: ~/a b\u0007x\u001b]2;t\u001b\\y', 'xy'],
    ['a link', '\u001b]8;id=1;https://example.org/?a=b c\u001b\\here\u001b]8;;\u001b\\', 'here'],
    ['strings of devices', '\u001bPq#0;2;0\u001b\\a\u001b_payload\u001b\\b', 'ab'],
    ['character sets and resets', '\u001b(Bx\u001bcy\u001b7z', 'xyz'],
    ['one that was cut off', 'x\u001b[1;3', 'x'],
    ['bells and others', 'a\u0007b\u0000c\td', 'abc\td'],
  ])('is plain: %s', (_what, printed, plain) => expect(plainText(printed)).toBe(plain));
});
