/** Methods that look at every entry of a list (or may), and those that look at every character of a text. */
const overLists = [
  'indexOf',
  'lastIndexOf',
  'includes',
  'find',
  'findIndex',
  'some',
  'every',
  'filter',
  'map',
  'flatMap',
  'forEach',
  'reduce',
  'concat',
  'slice',
  'sort',
  'join',
  'push',
  'shift',
  'unshift',
  'splice',
  'entries',
  'keys',
  'values',
] as const;
const overTexts = [
  'replace',
  'replaceAll',
  'split',
  'toLowerCase',
  'trim',
  'match',
  'search',
  'localeCompare',
] as const;

/**
 * Counts what is looked at while `act` runs: entries of lists, keys of objects, characters of texts. How fast a machine is has no part in it, so that
 * a test can say "no more than so much per key" and finds what grows with the square.
 */
export async function countWork(act: () => unknown): Promise<number> {
  let work = 0;
  const undo: (() => void)[] = [];
  const watch = (home: object, name: string, cost: (self: unknown, first: unknown) => number) => {
    const before = Object.getOwnPropertyDescriptor(home, name);
    const original = before?.value as ((...args: unknown[]) => unknown) | undefined;
    if (!before || typeof original !== 'function') return;
    const counted = function (this: unknown, ...args: unknown[]): unknown {
      work += cost(this, args[0]);
      return original.apply(this, args);
    };
    Object.defineProperty(home, name, { ...before, value: counted });
    undo.push(() => Object.defineProperty(home, name, before));
  };
  const length = (value: unknown) => (value as { length?: number } | null)?.length ?? 0;
  for (const name of overLists) watch(Array.prototype, name, name === 'push' ? () => 1 : length);
  for (const name of overTexts) watch(String.prototype, name, length);
  // What compares names goes through them character by character.
  watch(String.prototype, 'charCodeAt', () => 1);
  for (const name of ['test', 'exec']) watch(RegExp.prototype, name, (_pattern, text) => length(text));
  for (const name of ['keys', 'values', 'entries', 'getOwnPropertyNames']) {
    watch(Object, name, () => 0);
    const counting = Object.getOwnPropertyDescriptor(Object, name)?.value as (value: unknown) => unknown[];
    Object.defineProperty(Object, name, {
      configurable: true,
      writable: true,
      value: (value: unknown) => {
        const found = counting(value);
        work += found.length;
        return found;
      },
    });
  }
  try {
    await act();
  } finally {
    for (const restore of undo.reverse()) restore();
  }
  return work;
}
