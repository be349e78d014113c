import { checkInput, pointer, schemaOf, type DtoClass, type Violation } from '#libs/platform';
import { cutToFit } from '../normalise/cut-to-fit.js';
import type { JsonObject } from '../normalise/json-values.js';
import { itemRules } from '../schema/field.decorators.js';

const wrongType = new Set(['isArray', 'isObject', 'isString', 'isIn', 'isInt', 'isBoolean']);

export interface SchemaCheck<T> {
  instance?: T;
  violations: Violation[];
  /** The value is so odd (depth, size, poisonous keys) that no rule may walk it. */
  unreadable: boolean;
}

/** Checks against a DTO and tells every wrong item of a list by its own path. @param at JSON Pointer of the value */
export function checkSchema<T extends object>(dto: DtoClass<T>, value: JsonObject, at = ''): SchemaCheck<T> {
  const { instance, violations } = checkInput(dto, cutToFit(schemaOf(dto), value));
  const unreadable = violations.some(
    ({ path, code }) =>
      code === 'tooDeep' ||
      code === 'tooLarge' ||
      code === 'malformed' ||
      /(^|\/)(__proto__|constructor|prototype)$/.test(path),
  );
  const told = unreadable ? violations : withoutEchoes(violations).flatMap((violation) => eachItem(violation, value));
  return {
    ...(instance && { instance }),
    violations: told.map((violation) => ({ ...violation, path: at + violation.path })),
    unreadable,
  };
}

/** Where the type is wrong, the other rules of the field, and of what would be inside it, say nothing more. */
function withoutEchoes(violations: Violation[]): Violation[] {
  const mistyped = new Set(violations.filter(({ code }) => wrongType.has(code)).map(({ path }) => path));
  const seen = new Set<string>();
  return violations.filter(({ path, code, message }) => {
    if (mistyped.has(path) && !wrongType.has(code)) return false;
    if ([...mistyped].some((outer) => path.startsWith(`${outer}/`))) return false;
    const key = `${path} ${message}`;
    return !seen.has(key) && Boolean(seen.add(key));
  });
}

function eachItem(violation: Violation, value: JsonObject): Violation[] {
  const holds = itemRules.get(violation.code);
  const list = holds && valueAt(value, violation.path);
  if (!holds || !Array.isArray(list)) return [violation];
  const code = violation.code.replace(/^each\./, '').split('.')[0] ?? violation.code;
  const wrong = list.flatMap((item, at) =>
    holds(item) ? [] : [{ ...violation, code, path: pointer(violation.path, at) }],
  );
  return wrong.length ? wrong : [{ ...violation, code }];
}

function valueAt(value: unknown, path: string): unknown {
  let node = value;
  for (const key of path.split('/').slice(1)) {
    if (node === null || typeof node !== 'object') return undefined;
    node = (node as JsonObject)[key.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return node;
}
