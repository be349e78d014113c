import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { FakeGuest, type FakeGuestScript } from '../../../hypervisor/src/testing/fake-hypervisor.js';
import { LiveMachine } from '../host/live-machine.js';
import { ProtocolViolation } from './client-messages.js';
import { ConsoleTyping } from './console-typing.js';

const layouts = JSON.parse(
  readFileSync(new URL('../../../hypervisor/src/testing/keyboards.json', import.meta.url), 'utf8'),
) as Record<
  string,
  {
    console: { keymap: string; accents: string };
    x11: { firstKeycode: number; keysymsPerKeycode: number; keysyms: string };
  }
>;

const onConsole = (layout: string): FakeGuestScript => {
  const { keymap, accents } = layouts[layout]!.console;
  return {
    systemStates: ['running'],
    keyboard: {
      screen: 'console',
      keymap: Buffer.from(keymap, 'base64'),
      accents: Buffer.from(accents, 'base64'),
      isCapsLocked: false,
    },
  };
};
const onDesktop = (layout: string): FakeGuestScript => {
  const { keysyms, ...shape } = layouts[layout]!.x11;
  return { systemStates: ['running'], keyboard: { screen: 'x11', ...shape, keysyms: Buffer.from(keysyms, 'base64') } };
};

function opened(script: FakeGuestScript, viewOnly = false) {
  const guest = new FakeGuest({ memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir: '' }, '', script);
  const machine = new LiveMachine('a');
  const typing = new ConsoleTyping({ guest, machine }, viewOnly);
  const pressed = () => guest.inputs.flat().flatMap((event) => (event.kind === 'key' && event.down ? event.key : []));
  return {
    guest,
    machine,
    typing,
    pressed,
    type: (text: unknown) => typing.type(Buffer.from(JSON.stringify({ text }))),
  };
}

describe('what a console’s page has typed', () => {
  it.each<[string, FakeGuestScript, string, string[]]>([
    ['a German console', onConsole('de'), 'zy-/', ['y', 'z', 'slash', 'shift', '7']],
    ['a German desktop', onDesktop('de'), 'zy-/', ['y', 'z', 'slash', 'shift', '7']],
    ['a desktop with us(dvorak)', onDesktop('us dvorak'), 's/[', ['semicolon', 'bracket_left', 'minus']],
    ['a console with ch(fr)', onConsole('ch fr'), 'z@', ['y', 'alt_r', '2']],
    ['a guest that does not tell', {}, 'zy', ['z', 'y']],
  ])(
    'is pressed by the layout of %s',
    async (_whose, script, text, keys) => {
      const { type, pressed } = opened(script);
      expect(await type(text)).toEqual({ layout: expect.any(String) });
      expect(pressed()).toEqual(keys);
    },
    30_000,
  );

  it('is typed by the guest’s helper where no key gives it, or the reason is told', async () => {
    const { type, guest } = opened(onConsole('de'));
    expect(await type('漢')).toEqual({ layout: null });
    expect(guest.typed).toEqual(['漢']);
    expect(await opened(onConsole('de')).type('a\u0007')).toEqual({
      reason: 'invalid_actions',
      message: expect.stringContaining('control characters'),
    });
    expect(await opened(onConsole('de')).type(7)).toEqual({
      reason: 'invalid_actions',
      message: 'The text must be a string.',
    });
  });

  it('takes turns with whoever else acts at the VM, one text at a time', async () => {
    const { machine, type, pressed } = opened(onConsole('us'));
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const other = machine.inTurn(new AbortController().signal, () => finished);
    const first = type('a');
    expect(await type('b')).toMatchObject({ reason: 'vm_busy' });
    expect(pressed()).toEqual([]);
    finish();
    await other;
    expect(await first).toEqual({ layout: expect.any(String) });
    expect(pressed()).toEqual(['a']);
  });

  it('ends with the console, and with the guest', async () => {
    const { typing, type, pressed } = opened(onConsole('us'));
    typing.stop();
    expect(await type('abc')).toMatchObject({ reason: 'console_closed' });
    expect(pressed()).toEqual([]);
    const dead = opened(onConsole('us'));
    await dead.guest.quit();
    expect(await dead.type('abc')).toMatchObject({ reason: 'guest_ended' });
  });

  it('is nothing where one may only look', async () => {
    const { type, pressed } = opened(onConsole('us'), true);
    expect(await type('abc')).toMatchObject({ reason: 'view_only' });
    expect(pressed()).toEqual([]);
  });

  it.each([
    ['no JSON', 'abc'],
    ['too long', JSON.stringify({ text: 'a'.repeat(40_000) })],
  ])('is a violation where it is %s', (_what, message) => {
    expect(() => opened({}).typing.type(Buffer.from(message))).toThrow(ProtocolViolation);
  });
});
