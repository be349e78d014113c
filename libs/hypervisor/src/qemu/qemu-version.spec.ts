import { describe, expect, it } from '@jest/globals';
import { threadsOf } from './qemu-version.js';

describe('the threads of an emulation', () => {
  it.each([
    ['QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)', 'single'],
    ['QEMU emulator version 8.0.5', 'single'],
    ['QEMU emulator version 8.1.0', 'multi'],
    ['QEMU emulator version 10.0.8 (Debian 1:10.0.8+ds-0+deb13u1)', 'multi'],
    ['something else', 'single'],
  ])('of "%s" are %s: before 8.1 more than one may run code that is no more', (version, threads) => {
    expect(threadsOf(version)).toBe(threads);
  });
});
