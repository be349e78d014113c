import { AppError, clip, nearestName, pointer, type Violation } from '#libs/platform';
import type { ScreenSize } from '../hypervisor.port.js';
import { fieldsOf, type Problem } from './action-fields.js';
import { actionLimits, type ScreenAction, type ScreenActionType } from './screen-action.js';

/** Of one action; more are not told. */
const mostUnknown = 20;

/**
 * All of a list before any of it is performed. Absent fields get their defaults; null counts as absent.
 * @throws AppError `invalid_actions` that names every wrong path at once
 */
export function checkActions(given: readonly object[], screen: ScreenSize): ScreenAction[] {
  if (given.length > actionLimits.actions)
    throw invalidActions([
      { path: '/actions', code: 'arrayMaxSize', message: `must hold at most ${actionLimits.actions} actions` },
    ]);
  const checked = given.map((action, index) => checkAction(action, pointer('/actions', index), screen));
  const actions = checked.flatMap(({ action }) => action ?? []);
  const violations = [...checked.flatMap((one) => one.violations), ...excesses(actions)];
  if (violations.length) throw invalidActions(violations);
  return actions;
}

function checkAction(
  given: unknown,
  path: string,
  screen: ScreenSize,
): { action?: ScreenAction; violations: Violation[] } {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { violations: [{ path, code: 'isObject', message: 'must be an object with a type' }] };
  const { type, ...values } = given as Record<string, unknown>;
  const types = Object.keys(fieldsOf);
  if (typeof type !== 'string' || !Object.hasOwn(fieldsOf, type)) {
    const suggestion = typeof type === 'string' ? nearestName(type, types) : undefined;
    return {
      violations: [
        {
          path: pointer(path, 'type'),
          code: 'isIn',
          message: `must be one of ${types.join(', ')}`,
          ...(suggestion && { suggestion }),
        },
      ],
    };
  }
  const fields = fieldsOf[type as ScreenActionType];
  const unknown = Object.keys(values)
    .filter((name) => !Object.hasOwn(fields, name))
    .slice(0, mostUnknown);
  const violations: Violation[] = unknown.map((name) =>
    at(pointer(path, name), {
      code: 'whitelistValidation',
      message: `unknown field "${clip(name)}" of ${type}`,
      suggestion: nearestName(name, Object.keys(fields)),
    }),
  );
  const read: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name] ?? field.fallback;
    const problem =
      value === undefined
        ? { code: 'isDefined', message: `is missing: ${field.wanted}` }
        : field.problem(value, screen);
    if (problem) violations.push(at(pointer(path, name), problem));
    read[name] = value;
  }
  if (violations.length) return { violations };
  return { action: { type, ...read, ...('x' in fields && { screen }) } as ScreenAction, violations };
}

/** What is too much in all, said at the action with which it became too much. */
function excesses(actions: readonly ScreenAction[]): Violation[] {
  const sums = { seconds: 0, characters: 0, screenshots: 0 };
  const limits = {
    seconds: actionLimits.allWaitsSeconds,
    characters: actionLimits.textLength,
    screenshots: actionLimits.screenshots,
  };
  const violations: Violation[] = [];
  actions.forEach((action, index) => {
    const { what, amount, path } = costOf(action, index);
    if (!what) return;
    const isWithin = sums[what] <= limits[what];
    sums[what] += amount;
    if (isWithin && sums[what] > limits[what])
      violations.push({
        path,
        code: 'max',
        message: `makes more than ${limits[what]} ${what === 'seconds' ? 'seconds of waiting' : what === 'characters' ? 'characters to type' : what} in all`,
      });
  });
  return violations;
}

function costOf(
  action: ScreenAction,
  index: number,
): { what?: 'seconds' | 'characters' | 'screenshots'; amount: number; path: string } {
  const path = pointer('/actions', index);
  switch (action.type) {
    case 'wait':
      return { what: 'seconds', amount: action.duration, path: pointer(path, 'duration') };
    case 'type':
      return { what: 'characters', amount: action.text.length, path: pointer(path, 'text') };
    case 'screenshot':
      return { what: 'screenshots', amount: 1, path };
    default:
      return { amount: 0, path };
  }
}

function at(path: string, { suggestion, ...problem }: Problem): Violation {
  return { path, ...problem, ...(suggestion && { suggestion }) };
}

function invalidActions(violations: Violation[]): AppError {
  const [first] = violations;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  return new AppError({
    kind: 'invalid',
    reason: 'invalid_actions',
    message: `${first?.path}: ${first?.message}${more}`,
    hint: 'None of the actions was performed. Correct every path in violations and send them again.',
    violations,
  });
}
