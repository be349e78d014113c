import { describe, expect, it } from '@jest/globals';
import { findHopeless, hasLoginPrompt, lastLines, plainSerial } from './serial-watch.js';

const tailBytes = 128 << 10;

describe('the serial watch', () => {
  it('reads past colours, cursor movements and carriage returns', () => {
    expect(plainSerial('\u001b[2J\u001b[01;01H\u001b[0;1;32m  OK  \u001b[0m\r\r\ndone\u0007')).toBe('  OK  \n\ndone');
  });

  it('knows a login prompt', () => {
    expect(hasLoginPrompt('Debian GNU/Linux 12 host ttyS0\n\nhost login: ')).toBe(true);
    expect(hasLoginPrompt('Started getty, for login.')).toBe(false);
  });

  it('takes GRUB in blind mode for no error', () => {
    expect(findHopeless('error: no suitable video mode found.\nBooting in blind mode')).toBeUndefined();
  });

  it('keeps the last lines that say something', () => {
    expect(lastLines('a\n\nb  \n \nc\n', 2)).toEqual(['b', 'c']);
  });

  it.each([
    '\n',
    ' ',
    '\r',
    '\u001b',
    '\u001b[',
    '\u001b[1;',
    '[',
    '[ ',
    '[ 1',
    'BusyBox v',
    'login:',
    'error:',
    'grub> ',
    'Kernel panic - ',
    'Unable to find a ',
    '\n error: no suitable video mode',
    'x',
  ])('is quick about nothing but %j', (piece) => {
    const text = piece.repeat(tailBytes / piece.length);
    const began = performance.now();
    for (const plain of [plainSerial(text), text]) {
      findHopeless(plain);
      hasLoginPrompt(plain);
      lastLines(plain, 10);
    }
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});
