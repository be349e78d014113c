import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, errorMessage } from '#libs/platform';
import type { Guest } from '../hypervisor.port.js';
import { HeldInputs } from './held-inputs.js';
import { chordOfNames, isCharacterName, splitCombination } from './keymap.js';
import { takeScreenshot, type Screenshot } from './screenshot.js';
import type { ScreenAction, ScreenPoint } from './screen-action.js';
import { checkTypeable, layoutOf, typeText, type Typist } from './type-text.js';

/** What a desktop needs to notice one change before the next; a double click must end within 400 ms. */
const paceMs = { hover: 50, press: 40, betweenClicks: 60, wheel: 25, drag: 20 } as const;
const dragSteps = 12;

export interface PerformOptions {
  /** Breaks off, with everything released; what had been done by then is in the outcome. */
  signal: AbortSignal;
  /** For tests, which do not wait. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface ActionsOutcome {
  /** Actions that were performed wholly. */
  performed: number;
  pictures: Screenshot[];
  /** In words: by which layout keys of characters were pressed last; absent: none were. */
  layout?: string;
  /** The action at which it stopped. Reason `aborted` where the signal gave none of its own. */
  failure?: { index: number; action: string; reason: string; message: string };
}

interface Stage extends Typist {
  pictures: Screenshot[];
  layout?: string;
}

/** One after the other, up to the first that fails. Keys and buttons never stay down, however it ends. */
export async function performActions(
  guest: Guest,
  actions: readonly ScreenAction[],
  { signal, sleep: rest = pausing }: PerformOptions,
): Promise<ActionsOutcome> {
  const hands = new HeldInputs(guest);
  const stage: Stage = { guest, hands, signal, pictures: [], pause: (ms) => rest(ms, signal) };
  const refused = await firstUntypeable(stage, actions);
  if (refused) return { performed: 0, pictures: [], failure: refused };
  for (const [index, action] of actions.entries()) {
    try {
      signal.throwIfAborted();
      await perform(action, stage);
    } catch (error) {
      return { ...outcomeOf(stage, index), failure: failureOf(error, { index, action, signal }) };
    } finally {
      // A guest that is gone holds nothing any more.
      await hands.release().catch(() => undefined);
    }
  }
  return outcomeOf(stage, actions.length);
}

const outcomeOf = ({ pictures, layout }: Stage, performed: number): ActionsOutcome => ({
  performed,
  pictures,
  ...(layout !== undefined && { layout }),
});

async function firstUntypeable(stage: Stage, actions: readonly ScreenAction[]): Promise<ActionsOutcome['failure']> {
  for (const [index, action] of actions.entries()) {
    if (action.type !== 'type') continue;
    try {
      await checkTypeable(stage, action.text);
    } catch (error) {
      return failureOf(error, { index, action, signal: stage.signal });
    }
  }
  return undefined;
}

async function perform(action: ScreenAction, stage: Stage): Promise<void> {
  switch (action.type) {
    case 'click':
      return await click(stage, action, {
        button: (['left', 'middle', 'right'] as const)[action.button],
        times: action.double ? 2 : 1,
      });
    case 'double_click':
      return await click(stage, action, { button: 'left', times: 2 });
    case 'right_click':
      return await click(stage, action, { button: 'right', times: 1 });
    case 'move':
      return await stage.hands.move({ kind: 'move', x: action.x, y: action.y, screen: action.screen });
    case 'scroll':
      return await click(stage, action, { button: `wheel-${action.direction}`, times: action.amount });
    case 'drag':
      return await drag(stage, action);
    case 'type':
      stage.layout = (await typeText(stage, action.text))?.name ?? stage.layout;
      return;
    case 'key':
      return await press(stage, splitCombination(action.key));
    case 'key_combo':
      return await press(stage, action.keys);
    case 'wait':
      return await stage.pause(action.duration * 1000);
    case 'screenshot':
      stage.pictures.push(await takeScreenshot(stage.guest));
  }
}

async function click(
  { hands, pause }: Stage,
  { x, y, screen }: ScreenPoint,
  { button, times }: { button: Parameters<HeldInputs['pressButton']>[0]; times: number },
): Promise<void> {
  const isWheel = button.startsWith('wheel');
  // Some programs heed a click only where the pointer was seen before.
  await hands.move({ kind: 'move', x, y, screen });
  await pause(paceMs.hover);
  for (let time = 0; time < times; time++) {
    if (time) await pause(isWheel ? paceMs.wheel : paceMs.betweenClicks);
    await hands.pressButton(button);
    if (!isWheel) await pause(paceMs.press);
    await hands.release();
  }
}

async function drag(
  { hands, pause }: Stage,
  { x, y, end_x, end_y, screen }: Extract<ScreenAction, { type: 'drag' }>,
): Promise<void> {
  await hands.move({ kind: 'move', x, y, screen });
  await pause(paceMs.hover);
  await hands.pressButton('left');
  await pause(paceMs.press);
  // A drag that jumps is taken for a click by programs that wait for a few motions.
  for (let step = 1; step <= dragSteps; step++) {
    const part = step / dragSteps;
    await hands.move({
      kind: 'move',
      x: Math.round(x + (end_x - x) * part),
      y: Math.round(y + (end_y - y) * part),
      screen,
    });
    await pause(paceMs.drag);
  }
  await pause(paceMs.press);
  await hands.release();
}

async function press(stage: Stage, names: readonly string[]): Promise<void> {
  const { hands, pause, guest, signal } = stage;
  // Keys that have names of their own are where they are on any layout.
  const layout = names.some(isCharacterName) ? await layoutOf(guest, signal) : undefined;
  if (layout) stage.layout = layout.name;
  await hands.pressKeys(chordOfNames(names, layout));
  await pause(paceMs.press);
  await hands.release();
}

async function pausing(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}

/** @throws whatever is no refusal but a bug */
function failureOf(
  error: unknown,
  { index, action, signal }: { index: number; action: ScreenAction; signal: AbortSignal },
): NonNullable<ActionsOutcome['failure']> {
  const why: unknown = signal.aborted ? signal.reason : error;
  if (!signal.aborted && !(error instanceof AppError)) throw error;
  return {
    index,
    action: action.type,
    reason: why instanceof AppError ? why.reason : 'aborted',
    message: errorMessage(why),
  };
}
