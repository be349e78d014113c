import type { InputEvent } from '../hypervisor.port.js';

/** Of the axes of virtio-tablet, whatever the screen's size (QEMU, INPUT_EVENT_ABS_MAX). */
const axisMax = 0x7fff;

/** The events as QMP's `input-send-event` has them; a move is one for each axis. */
export function toQmpEvents(events: readonly InputEvent[]): object[] {
  return events.flatMap((event): object[] => {
    switch (event.kind) {
      case 'key':
        return [{ type: 'key', data: { down: event.down, key: { type: 'qcode', data: event.key } } }];
      case 'button':
        return [{ type: 'btn', data: { down: event.down, button: event.button } }];
      case 'move':
        return [abs('x', event.x, event.screen.width), abs('y', event.y, event.screen.height)];
    }
  });
}

const abs = (axis: 'x' | 'y', pixel: number, pixels: number) => ({
  type: 'abs',
  data: { axis, value: toAxis(pixel, pixels) },
});

/**
 * The least value of the axis that guests take for this pixel. X cuts value * (pixels - 1) / max to a whole number, libinput
 * value * pixels / (max + 1): rounded down, as QEMU's own VNC server does, the pointer would often be one pixel too far to the left.
 */
export function toAxis(pixel: number, pixels: number): number {
  if (pixels < 2) return 0;
  return Math.min(axisMax, Math.max(0, Math.ceil((Math.round(pixel) * axisMax) / (pixels - 1))));
}
