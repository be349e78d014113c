import type { ScreenSize } from '../hypervisor.port.js';

/** A place in pixels from the top left corner, on a screen of this size. */
export interface ScreenPoint {
  x: number;
  y: number;
  screen: ScreenSize;
}

/** 0 left, 1 middle, 2 right, as a browser counts them (UI Events, MouseEvent.button). */
export type ButtonNumber = 0 | 1 | 2;

/** What can be done to a guest's screen; made by `checkActions`, which fills in what was left out. */
export type ScreenAction =
  | ({ type: 'click'; button: ButtonNumber; double: boolean } & ScreenPoint)
  | ({ type: 'double_click' | 'right_click' | 'move' } & ScreenPoint)
  | ({ type: 'scroll'; direction: 'up' | 'down'; amount: number } & ScreenPoint)
  | ({ type: 'drag'; end_x: number; end_y: number } & ScreenPoint)
  | { type: 'type'; text: string }
  | { type: 'key'; key: string }
  | { type: 'key_combo'; keys: string[] }
  /** Seconds. */
  | { type: 'wait'; duration: number }
  | { type: 'screenshot' };

export type ScreenActionType = ScreenAction['type'];

/** What one list of actions may ask for. */
export const actionLimits = {
  actions: 100,
  waitSeconds: 30,
  allWaitsSeconds: 60,
  textLength: 4096,
  screenshots: 3,
  scrollAmount: 50,
  keysAtOnce: 6,
} as const;
