import { describe, expect, it } from '@jest/globals';
import { toAxis, toQmpEvents } from './input-events.js';

const max = 0x7fff;

describe('positions of the pointer', () => {
  it.each([[640], [720], [1024], [1280], [1920], [3840]])(
    'come to the same pixel, of %i, in guests with X and with libinput',
    (pixels) => {
      const missed = Array.from({ length: pixels }, (_, pixel) => pixel).filter((pixel) => {
        const value = toAxis(pixel, pixels);
        return Math.floor((value * (pixels - 1)) / max) !== pixel || Math.floor((value * pixels) / (max + 1)) !== pixel;
      });
      expect(missed).toEqual([]);
    },
  );

  it('stay on the screen, and on the axis', () => {
    expect([toAxis(-5, 1024), toAxis(0, 1024), toAxis(1023, 1024), toAxis(5_000, 1024)]).toEqual([0, 0, max, max]);
    expect(toAxis(0, 1)).toBe(0);
  });
});

describe('input events', () => {
  it('are QMP’s, in their order', () => {
    const events = toQmpEvents([
      { kind: 'move', x: 0, y: 767, screen: { width: 1024, height: 768 } },
      { kind: 'button', button: 'wheel-up', down: true },
      { kind: 'key', key: 'ret', down: false },
    ]);
    expect(events).toEqual([
      { type: 'abs', data: { axis: 'x', value: 0 } },
      { type: 'abs', data: { axis: 'y', value: max } },
      { type: 'btn', data: { down: true, button: 'wheel-up' } },
      { type: 'key', data: { down: false, key: { type: 'qcode', data: 'ret' } } },
    ]);
  });
});
