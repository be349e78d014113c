import { clip, type Violation } from '../errors/app-error.js';
import { mostValues } from './bounded-json.js';

const maxDepth = 32;
const poisonous = new Set(['__proto__', 'constructor', 'prototype']);

/** How many values an input may still bring; shared by the body and every JSON text inside it. */
export interface NodeBudget {
  left: number;
}

interface Place {
  key: string;
  parent: Place | undefined;
}

interface Entry {
  node: unknown;
  depth: number;
  place: Place | undefined;
}

/**
 * Bounds depth and size before any library walks the value, iteratively, so that nothing here can overflow the stack. Children are counted
 * before they are looked at: an endless list costs no more than its length.
 * @returns what makes the value unreadable
 */
export function checkStructure(value: unknown, budget: NodeBudget = { left: mostValues }): Violation | undefined {
  const stack: Entry[] = [{ node: value, depth: 0, place: undefined }];
  budget.left--;
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node, depth, place } = entry;
    if (typeof node === 'string' && !isStorable(node))
      return { path: pathOf(place), code: 'unstorable', message: unstorable };
    if (!node || typeof node !== 'object') continue;
    if (depth >= maxDepth) return { path: '', code: 'tooDeep', message: `is nested more than ${maxDepth} levels deep` };
    const keys = Array.isArray(node) ? undefined : Object.keys(node);
    budget.left -= keys?.length ?? (node as unknown[]).length;
    if (budget.left < 0) return { path: '', code: 'tooLarge', message: `holds more than ${mostValues} values` };
    if (!keys)
      (node as unknown[]).forEach((child, at) =>
        stack.push({ node: child, depth: depth + 1, place: { key: String(at), parent: place } }),
      );
    else {
      for (const key of keys) {
        if (!isStorable(key))
          return { path: pathOf(place), code: 'unstorable', message: `has a field whose name ${unstorable}` };
        if (poisonous.has(key))
          return {
            path: pathOf({ key, parent: place }),
            code: 'whitelistValidation',
            message: `unknown field "${key}"`,
          };
        stack.push({ node: (node as Record<string, unknown>)[key], depth: depth + 1, place: { key, parent: place } });
      }
    }
  }
  return undefined;
}

/** What PostgreSQL keeps neither as text nor as JSON (PostgreSQL manual, JSON Types). */
const isStorable = (text: string) => !/[\0\p{Surrogate}]/u.test(text);
const unstorable = 'must hold no NUL character and no half of a surrogate pair';

const longestPath = 5;

function pathOf(place: Place | undefined): string {
  const keys: string[] = [];
  for (let at = place; at; at = at.parent) keys.unshift(at.key);
  return keys.slice(0, longestPath).reduce<string>(pointer, '');
}

/** JSON Pointer of a child (RFC 6901). */
export function pointer(parent: string, key: string | number): string {
  return `${parent}/${clip(String(key)).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
