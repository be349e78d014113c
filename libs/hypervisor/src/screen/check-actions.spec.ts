import { describe, expect, it } from '@jest/globals';
import type { AppError } from '#libs/platform';
import { type Violation } from '#libs/platform';
import { checkActions } from './check-actions.js';
import { fieldsOf } from './action-fields.js';

const screen = { width: 800, height: 600 };

function violationsOf(given: readonly unknown[]): Violation[] {
  try {
    checkActions(given as object[], screen);
  } catch (error) {
    expect(error).toMatchObject({ kind: 'invalid', reason: 'invalid_actions' });
    return (error as AppError).violations ?? [];
  }
  return [];
}

describe('checkActions', () => {
  it('takes every type of action and fills in what was left out', () => {
    const given = [
      { type: 'click', x: 0, y: 599, button: null },
      { type: 'double_click', x: 1, y: 2 },
      { type: 'right_click', x: 1, y: 2 },
      { type: 'move', x: 799, y: 0.5 },
      { type: 'scroll', x: 1, y: 2, direction: 'down' },
      { type: 'drag', x: 1, y: 2, end_x: 3, end_y: 4 },
      { type: 'type', text: 'a\tb\n' },
      { type: 'key', key: 'ctrl+c' },
      { type: 'key_combo', keys: ['ctrl', 'shift', 't'] },
      { type: 'wait', duration: 1 },
      { type: 'screenshot' },
    ];
    const actions = checkActions(given, screen);
    expect(actions.map(({ type }) => type).sort()).toEqual(Object.keys(fieldsOf).sort());
    expect(actions[0]).toEqual({ type: 'click', x: 0, y: 599, button: 0, double: false, screen });
    expect(actions[4]).toMatchObject({ direction: 'down', amount: 3 });
    expect(actions[10]).toEqual({ type: 'screenshot' });
    expect(checkActions([], screen)).toEqual([]);
  });

  it('names every wrong path of every action at once', () => {
    const found = violationsOf([
      { type: 'click', x: 800, y: -1, button: 3 },
      { type: 'clik', x: 1, y: 1 },
      null,
      { type: 'drag', x: 1, y: 1, end_x: 1e9 },
      { type: 'key', key: 'Retrun' },
      { type: 'scroll', x: 1, y: 1, direction: 'left', amount: 51 },
      { type: 'wait', duration: 3600 },
      { type: 'type', text: 'x\u0007' },
      { type: 'key_combo', keys: ['ctrl', 5] },
      { type: 'move', x: '1', y: Number.NaN },
      { type: 'wait', duration: 1, text: 'x' },
      {},
    ]);
    expect(found.map(({ path, code }) => [path, code])).toEqual([
      ['/actions/0/x', 'outsideScreen'],
      ['/actions/0/y', 'outsideScreen'],
      ['/actions/0/button', 'isIn'],
      ['/actions/1/type', 'isIn'],
      ['/actions/2', 'isObject'],
      ['/actions/3/end_x', 'outsideScreen'],
      ['/actions/3/end_y', 'isDefined'],
      ['/actions/4/key', 'unknownKey'],
      ['/actions/5/direction', 'isIn'],
      ['/actions/5/amount', 'max'],
      ['/actions/6/duration', 'max'],
      ['/actions/7/text', 'unprintable'],
      ['/actions/8/keys', 'isArray'],
      ['/actions/9/x', 'isNumber'],
      ['/actions/9/y', 'isNumber'],
      ['/actions/10/text', 'whitelistValidation'],
      ['/actions/11/type', 'isIn'],
    ]);
    expect(found[0]?.message).toContain('800x600');
    expect(found[3]?.suggestion).toBe('click');
    expect(found[7]?.suggestion).toBe('Return');
  });

  it.each([
    ['actions', Array.from({ length: 101 }, () => ({ type: 'wait', duration: 0 })), '/actions'],
    [
      'seconds of waiting',
      [
        ...Array.from({ length: 2 }, () => ({ type: 'wait', duration: 30 })),
        { type: 'wait', duration: 0.1 },
        { type: 'wait', duration: 1 },
      ],
      '/actions/2/duration',
    ],
    ['characters in one text', [{ type: 'type', text: 'x'.repeat(4097) }], '/actions/0/text'],
    [
      'characters in all texts',
      [
        { type: 'type', text: 'x'.repeat(4096) },
        { type: 'type', text: 'x' },
      ],
      '/actions/1/text',
    ],
    ['screenshots', Array.from({ length: 4 }, () => ({ type: 'screenshot' })), '/actions/3'],
    ['keys at once', [{ type: 'key', key: 'a+b+c+d+e+f+g' }], '/actions/0/key'],
  ])('bounds the %s', (_what, given, path) => {
    expect(violationsOf(given).map((violation) => violation.path)).toEqual([path]);
  });

  it('takes names of the language’s own objects for nothing special', () => {
    expect(
      violationsOf([
        { type: 'constructor' },
        { type: 'toString' },
        { type: 'key', key: '__proto__' },
        { type: 'screenshot', constructor: 1 },
      ]),
    ).toHaveLength(4);
  });
});
