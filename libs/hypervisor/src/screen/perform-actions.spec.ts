import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { AppError } from '#libs/platform';
import type { InputEvent } from '../hypervisor.port.js';
import { FakeGuest } from '../testing/fake-hypervisor.js';
import { checkActions } from './check-actions.js';
import { performActions } from './perform-actions.js';

const screen = { width: 800, height: 600 };

/** A guest, and what is done to it without waiting. `breakOff` says at which pause the signal is raised. */
function stage({ breakOff }: { breakOff?: (pauses: number[]) => boolean } = {}) {
  const guest = new FakeGuest({ memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir: '' }, '', {});
  const pauses: number[] = [];
  const abort = new AbortController();
  const sleep = (ms: number) => {
    pauses.push(ms);
    if (breakOff?.(pauses))
      abort.abort(new AppError({ kind: 'conflict', reason: 'called_off', message: 'It was called off.' }));
    return abort.signal.aborted ? Promise.reject(abort.signal.reason as Error) : Promise.resolve();
  };
  const perform = (actions: object[]) =>
    performActions(guest, checkActions(actions, screen), { signal: abort.signal, sleep });
  return { guest, pauses, perform, abort, calls: () => guest.inputs.map((events) => events.map(inWords).join(' ')) };
}

function inWords(event: InputEvent): string {
  if (event.kind === 'move') return `${event.x},${event.y}`;
  return `${event.down ? '+' : '-'}${event.kind === 'key' ? event.key : event.button}`;
}

describe('performActions', () => {
  it.each<[string, object, string[]]>([
    ['a click', { type: 'click', x: 5, y: 6 }, ['5,6', '+left', '-left']],
    ['a click of another button', { type: 'click', x: 5, y: 6, button: 1 }, ['5,6', '+middle', '-middle']],
    ['a double click', { type: 'click', x: 5, y: 6, double: true }, ['5,6', '+left', '-left', '+left', '-left']],
    ['double_click', { type: 'double_click', x: 5, y: 6 }, ['5,6', '+left', '-left', '+left', '-left']],
    ['right_click', { type: 'right_click', x: 5, y: 6 }, ['5,6', '+right', '-right']],
    ['move', { type: 'move', x: 5, y: 6 }, ['5,6']],
    [
      'scroll',
      { type: 'scroll', x: 5, y: 6, direction: 'up', amount: 2 },
      ['5,6', '+wheel-up', '-wheel-up', '+wheel-up', '-wheel-up'],
    ],
    ['type', { type: 'type', text: 'aB\r\n' }, ['+a', '-a', '+shift +b', '-b -shift', '+ret', '-ret']],
    ['key', { type: 'key', key: 'ctrl+c' }, ['+ctrl +c', '-c -ctrl']],
    ['key_combo', { type: 'key_combo', keys: ['ctrl', 'shift', 't'] }, ['+ctrl +shift +t', '-t -shift -ctrl']],
    ['wait', { type: 'wait', duration: 2 }, []],
  ])('%s: presses and releases in calls of their own', async (_what, action, calls) => {
    const { perform, calls: done } = stage();
    expect(await perform([action])).toMatchObject({ performed: 1, pictures: [] });
    expect(done()).toEqual(calls);
  });

  it('drags with the button down over places in between', async () => {
    const { perform, calls } = stage();
    await perform([{ type: 'drag', x: 0, y: 0, end_x: 120, end_y: 60 }]);
    const done = calls();
    expect(done.slice(0, 3)).toEqual(['0,0', '+left', '10,5']);
    expect(done.slice(-2)).toEqual(['120,60', '-left']);
    expect(done).toHaveLength(15);
  });

  it('keeps a double click within what desktops take for one, and keys apart enough for an emulated guest', async () => {
    const click = stage();
    await click.perform([{ type: 'double_click', x: 1, y: 1 }]);
    expect(click.pauses.slice(1).reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(400);
    const text = stage();
    await text.perform([{ type: 'type', text: 'abcdefghij' }]);
    expect(text.pauses.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(10 * (1000 / 50));
  });

  it('performs in order, with pictures between', async () => {
    const { perform, calls } = stage();
    const outcome = await perform([
      { type: 'key', key: 'a' },
      { type: 'screenshot' },
      { type: 'key', key: 'b' },
      { type: 'screenshot' },
    ]);
    expect(outcome).toMatchObject({
      performed: 4,
      pictures: [
        { width: 1, height: 1 },
        { width: 1, height: 1 },
      ],
    });
    expect(calls()).toEqual(['+a', '-a', '+b', '-b']);
  });

  it.each<[string, object, number, string]>([
    ['a key combination', { type: 'key', key: 'ctrl+alt+Delete' }, 2, '-delete -alt -ctrl'],
    ['a drag', { type: 'drag', x: 0, y: 0, end_x: 9, end_y: 9 }, 6, '-left'],
    ['a click', { type: 'right_click', x: 0, y: 0 }, 3, '-right'],
    ['a text', { type: 'type', text: 'ABC' }, 4, '-b -shift'],
  ])('releases what is held when %s is called off in its middle', async (_what, action, atPause, released) => {
    // The first pause is that of the wait before it.
    const { perform, calls } = stage({ breakOff: (pauses) => pauses.length === atPause });
    const outcome = await perform([{ type: 'wait', duration: 0 }, action, { type: 'key', key: 'z' }]);
    expect(outcome).toMatchObject({ performed: 1, failure: { index: 1, reason: 'called_off' } });
    expect(calls().at(-1)).toBe(released);
    expect(calls().join(' ')).not.toContain('+z');
  });

  it('ends a wait at once when called off', async () => {
    const guest = new FakeGuest({ memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', workDir: '' }, '', {});
    const abort = new AbortController();
    const outcome = performActions(guest, checkActions([{ type: 'wait', duration: 30 }], screen), {
      signal: abort.signal,
    });
    abort.abort();
    expect(await outcome).toMatchObject({ performed: 0, failure: { index: 0, action: 'wait', reason: 'aborted' } });
  });

  it('says at which action the guest was gone, and what had been done by then', async () => {
    const { guest, perform } = stage({ breakOff: () => false });
    const send = guest.sendInput.bind(guest);
    guest.sendInput = async (events) => {
      if (guest.inputs.length === 2) guest.die({ why: 'failed', detail: 'it broke' });
      await send(events);
    };
    expect(
      await perform([
        { type: 'key', key: 'a' },
        { type: 'key', key: 'b' },
        { type: 'key', key: 'c' },
      ]),
    ).toMatchObject({ performed: 1, failure: { index: 1, action: 'key', reason: 'guest_ended' } });
  });

  it('releases a key whose pressing failed: it may have arrived', async () => {
    const { guest, perform, calls } = stage();
    const send = guest.sendInput.bind(guest);
    guest.sendInput = async (events) => {
      await send(events);
      if (guest.inputs.length === 1)
        throw new AppError({ kind: 'unavailable', reason: 'guest_peer_failed', message: 'It did not answer.' });
    };
    expect(await perform([{ type: 'key', key: 'ctrl+a' }])).toMatchObject({
      performed: 0,
      failure: { reason: 'guest_peer_failed' },
    });
    expect(calls()).toEqual(['+ctrl +a', '-a -ctrl']);
  });
});

describe('typing on a guest that has another layout', () => {
  const told = JSON.parse(readFileSync(new URL('../testing/keyboards.json', import.meta.url), 'utf8')) as Record<
    string,
    { console: { keymap: string; accents: string } }
  >;
  const german = () => {
    const on = stage();
    const { keymap, accents } = told.de!.console;
    const typed: string[] = [];
    const keyboard = () =>
      Promise.resolve({
        screen: 'console',
        keymap: Buffer.from(keymap, 'base64'),
        accents: Buffer.from(accents, 'base64'),
        isCapsLocked: false,
      });
    Object.assign(on.guest, {
      helper: {
        keyboard,
        type: (text: string) => Promise.resolve(void typed.push(text)),
        waitUntilReady: () => Promise.resolve({}),
      },
    });
    return { ...on, typed, pressed: () => on.calls().filter((call) => call.startsWith('+')) };
  };

  it('presses the keys that give its characters there, dead ones too', async () => {
    const on = german();
    expect(await on.perform([{ type: 'type', text: 'z/@^ü' }])).toMatchObject({
      performed: 1,
      layout: 'the keymap of its text console',
    });
    expect(on.pressed()).toEqual(['+y', '+shift +7', '+alt_r +q', '+grave_accent', '+spc', '+bracket_left']);
  });

  it('presses the characters of a combination where they are, and named keys without a question', async () => {
    const on = german();
    expect(await on.perform([{ type: 'key', key: 'Return' }])).toEqual({ performed: 1, pictures: [] });
    await on.perform([
      { type: 'key', key: 'ctrl+z' },
      { type: 'key_combo', keys: ['ctrl', 'slash'] },
    ]);
    expect(on.pressed()).toEqual(['+ret', '+ctrl +y', '+ctrl +shift +7']);
  });

  it('leaves a text with a character that it lacks to the helper, as a whole', async () => {
    const on = german();
    await on.perform([{ type: 'type', text: 'z 漢' }]);
    expect([on.typed, on.pressed()]).toEqual([['z 漢'], []]);
  });

  it('asks a helper that does not answer once, and not with each call', async () => {
    const on = german();
    let asked = 0;
    Object.assign(on.guest.helper, {
      keyboard: () =>
        Promise.reject(
          new AppError({ kind: 'unavailable', reason: 'guest_helper_failed', message: `It is silent. ${++asked}` }),
        ),
    });
    for (let time = 0; time < 3; time++)
      expect(await on.perform([{ type: 'type', text: 'z' }])).toMatchObject({
        layout: expect.stringContaining('did not say'),
      });
    expect([asked, on.pressed()]).toEqual([1, ['+z', '+z', '+z']]);
  });
});

describe('text beyond the US layout', () => {
  const helper = {
    waitUntilReady: () => Promise.resolve({}),
    typed: [] as string[],
    type: (_text: string): Promise<void> => Promise.resolve(),
  };
  const withHelper = (changes: Partial<typeof helper> = {}) => {
    const on = stage();
    const own = { ...helper, typed: [] as string[], ...changes };
    own.type = changes.type ?? ((text) => Promise.resolve(void own.typed.push(text)));
    Object.assign(on.guest, { helper: own });
    return { ...on, helper: own };
  };

  it('goes through the helper as a whole, in pieces that it can take', async () => {
    const on = withHelper();
    expect(
      await on.perform([
        { type: 'type', text: `12 € 漢\r\n${'é'.repeat(2000)}` },
        { type: 'type', text: 'ok' },
      ]),
    ).toEqual({ performed: 2, pictures: [], layout: expect.stringContaining('did not say') });
    expect(on.helper.typed.join('')).toBe(`12 € 漢\n${'é'.repeat(2000)}`);
    expect(on.helper.typed.every((text) => Buffer.byteLength(text) <= 4096)).toBe(true);
    expect(on.calls()).toEqual(['+o', '-o', '+k', '-k']);
  });

  it.each<[string, { helper?: unknown }]>([
    ['there is no helper', { helper: undefined }],
    ['the helper does not answer', { helper: { ...helper, waitUntilReady: () => Promise.reject(new Error('late')) } }],
  ])('is refused before anything is performed where %s', async (_what, changes) => {
    const on = stage();
    Object.assign(on.guest, changes);
    const outcome = await on.perform([
      { type: 'key', key: 'a' },
      { type: 'type', text: 'é' },
    ]);
    expect(outcome).toMatchObject({
      performed: 0,
      failure: { index: 1, action: 'type', reason: 'untypeable_text', message: expect.stringContaining('é') },
    });
    expect(on.calls()).toEqual([]);
  });

  it('fails as its action where the helper finds no terminal to type on', async () => {
    const on = withHelper({
      type: () =>
        Promise.reject(
          new AppError({ kind: 'unavailable', reason: 'guest_helper_failed', message: 'The screen is graphical.' }),
        ),
    });
    const outcome = await on.perform([
      { type: 'key', key: 'a' },
      { type: 'type', text: '€' },
    ]);
    expect(outcome).toMatchObject({
      performed: 1,
      failure: { index: 1, reason: 'untypeable_text', message: expect.stringContaining('graphical') },
    });
  });
});
