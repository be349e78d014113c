import { clip, type Violation } from '#libs/platform';
import type { ScreenSize } from '../hypervisor.port.js';
import { findKey, nearestKey, splitCombination } from './keymap.js';
import { actionLimits, type ScreenActionType } from './screen-action.js';

export type Problem = Omit<Violation, 'path'>;

interface Field {
  /** In words, for whoever left it out. */
  wanted: string;
  /** Absent: must be given. */
  fallback?: unknown;
  problem(value: unknown, screen: ScreenSize): Problem | undefined;
}

const coordinate = (axis: 'width' | 'height'): Field => ({
  wanted: 'a number of pixels',
  problem: (value, screen) => {
    if (typeof value !== 'number' || !Number.isFinite(value))
      return { code: 'isNumber', message: 'must be a number of pixels' };
    if (value < 0 || value > screen[axis] - 1)
      return {
        code: 'outsideScreen',
        message: `must be from 0 to ${screen[axis] - 1}: the screen is ${screen.width}x${screen.height}, and ${value} lies outside it`,
      };
    return undefined;
  },
});

const oneOf = (values: readonly unknown[], wanted: string, fallback?: unknown): Field => ({
  wanted,
  ...(fallback !== undefined && { fallback }),
  problem: (value) => (values.includes(value) ? undefined : { code: 'isIn', message: `must be ${wanted}` }),
});

const number = (options: { min: number; max: number; whole: boolean; wanted: string; fallback?: number }): Field => ({
  wanted: options.wanted,
  ...(options.fallback !== undefined && { fallback: options.fallback }),
  problem: (value) => {
    const isFit = typeof value === 'number' && Number.isFinite(value) && (!options.whole || Number.isInteger(value));
    if (!isFit) return { code: options.whole ? 'isInt' : 'isNumber', message: `must be ${options.wanted}` };
    if (value < options.min || value > options.max)
      return { code: value < options.min ? 'min' : 'max', message: `must be ${options.wanted}` };
    return undefined;
  },
});

const text: Field = {
  wanted: 'the text to type',
  problem: (value) => {
    if (typeof value !== 'string') return { code: 'isString', message: 'must be a string' };
    if (value.length > actionLimits.textLength)
      return {
        code: 'maxLength',
        message: `must have at most ${actionLimits.textLength} characters, not ${value.length}`,
      };
    // Half a pair of surrogates is no character; of the control characters, Return and Tab have a place in text.
    if (/[^\P{Cc}\n\r\t]|\p{Surrogate}/u.test(value))
      return {
        code: 'unprintable',
        message: 'must hold no control characters except newline and tab: press keys with key',
      };
    return undefined;
  },
};

const key: Field = {
  wanted: 'the name of a key, such as Return or ctrl+c',
  problem: (value) =>
    typeof value === 'string' && value !== ''
      ? problemOfKeys(splitCombination(value.slice(0, 200)))
      : { code: 'isString', message: 'must be the name of a key, such as Return or ctrl+c' },
};

const keys: Field = {
  wanted: 'an array of key names, such as ["ctrl", "shift", "t"]',
  problem: (value) =>
    Array.isArray(value) && value.length && value.every((name) => typeof name === 'string')
      ? problemOfKeys(value)
      : { code: 'isArray', message: 'must be an array of key names, such as ["ctrl", "shift", "t"]' },
};

function problemOfKeys(names: readonly string[]): Problem | undefined {
  if (names.length > actionLimits.keysAtOnce)
    return { code: 'arrayMaxSize', message: `must be at most ${actionLimits.keysAtOnce} keys at once` };
  const unknown = names.find((name) => !findKey(name));
  if (unknown === undefined) return undefined;
  const near = nearestKey(unknown);
  const advice = near
    ? `; did you mean ${near}?`
    : '; names are those of xdotool, such as Return, Escape, Page_Up, F4, super, or one character of the US layout';
  return {
    code: 'unknownKey',
    message: `there is no key "${clip(unknown, 40)}"${advice}`,
    ...(near && { suggestion: near }),
  };
}

const point = { x: coordinate('width'), y: coordinate('height') };

/** Every type of action, and what each may hold. */
export const fieldsOf: Record<ScreenActionType, Record<string, Field>> = {
  click: {
    ...point,
    button: oneOf([0, 1, 2], '0 (left), 1 (middle) or 2 (right)', 0),
    double: oneOf([true, false], 'true or false', false),
  },
  double_click: point,
  right_click: point,
  move: point,
  scroll: {
    ...point,
    direction: oneOf(['up', 'down'], '"up" or "down"'),
    amount: number({
      min: 1,
      max: actionLimits.scrollAmount,
      whole: true,
      wanted: `a whole number of wheel steps from 1 to ${actionLimits.scrollAmount}`,
      fallback: 3,
    }),
  },
  drag: { ...point, end_x: coordinate('width'), end_y: coordinate('height') },
  type: { text },
  key: { key },
  key_combo: { keys },
  wait: {
    duration: number({
      min: 0,
      max: actionLimits.waitSeconds,
      whole: false,
      wanted: `a number of seconds from 0 to ${actionLimits.waitSeconds}`,
    }),
  },
  screenshot: {},
};
