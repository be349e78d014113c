import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { closest, distance } from 'fastest-levenshtein';
import { clip, invalidArguments, type Violation } from '../errors/app-error.js';
import { schemaOf, type DtoClass, type JsonSchema } from './json-schema.js';
import { rememberValidationRules } from './metadata-cache.js';

rememberValidationRules();

const maxDepth = 32;
const maxNodes = 100_000;
const maxViolations = 200;
const poisonous = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Turns untrusted JSON into a valid instance of a DTO.
 * @throws AppError `invalid_arguments` that names every wrong path at once
 */
export function parseInput<T extends object>(dto: DtoClass<T>, value: unknown): T {
  const { instance, violations } = checkInput(dto, value);
  if (!instance) throw invalidArguments(violations);
  return instance;
}

/** Like parseInput, for whoever reports violations as a result instead of refusing. */
export function checkInput<T extends object>(dto: DtoClass<T>, value: unknown): { instance?: T; violations: Violation[] } {
  const structural = checkStructure(value);
  if (structural) return { violations: [structural] };
  if (!isObject(value)) return { violations: [{ path: '', code: 'isObject', message: 'must be an object' }] };
  const fields = fieldNames(dto);
  // class-validator calls every value of a class without rules "unknown".
  if (!fields.length) {
    const violations = Object.keys(value).map((key) => ({ path: pointer('', key), code: 'whitelistValidation', message: `unknown field "${clip(key)}"; there are none` }));
    return violations.length ? { violations: violations.slice(0, maxViolations) } : { instance: new dto(), violations };
  }
  const schema = schemaOf(dto);
  // class-transformer and class-validator break on some hostile shapes that pass every check; a break is a bad input, not a fault.
  try {
    const read = readJsonStrings(schema, value);
    const misplaced = misplacedArrays(schema, read, '');
    const instance = plainToInstance(dto, read, { exposeDefaultValues: true });
    const errors = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true, validationError: { target: true, value: false } });
    const found = errors.flatMap((error) => flatten(error, ''));
    const violations = [...misplaced, ...found.filter(({ path }) => !misplaced.some((other) => other.path === path))];
    return violations.length ? { violations: violations.slice(0, maxViolations) } : { instance, violations };
  } catch {
    return { violations: [{ path: '', code: 'malformed', message: 'does not have the shape of this input' }] };
  }
}

/** Bounds depth and size before any library walks the value, iteratively, so that nothing here can overflow the stack. */
function checkStructure(value: unknown): Violation | undefined {
  const stack: { node: unknown; depth: number; path: string }[] = [{ node: value, depth: 0, path: '' }];
  let nodes = 0;
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node, depth, path } = entry;
    if (++nodes > maxNodes) return { path: '', code: 'tooLarge', message: `holds more than ${maxNodes} values` };
    if (typeof node === 'string' && !isStorable(node)) return { path, code: 'unstorable', message: unstorable };
    if (!node || typeof node !== 'object') continue;
    if (depth >= maxDepth) return { path: '', code: 'tooDeep', message: `is nested more than ${maxDepth} levels deep` };
    for (const [key, child] of Object.entries(node)) {
      if (!isStorable(key)) return { path, code: 'unstorable', message: `has a field whose name ${unstorable}` };
      if (poisonous.has(key)) return { path: pointer(path, key), code: 'whitelistValidation', message: `unknown field "${key}"` };
      stack.push({ node: child, depth: depth + 1, path: depth < 4 ? pointer(path, key) : path });
    }
  }
  return undefined;
}

/** What PostgreSQL keeps neither as text nor as JSON (PostgreSQL manual, JSON Types). */
const isStorable = (text: string) => !/[\0\p{Surrogate}]/u.test(text);
const unstorable = 'must hold no NUL character and no half of a surrogate pair';

/** Models often send `"[\"ssh\"]"` where an array is wanted, and null for what they leave out: such a string is read as the JSON it holds, and such a field is left out. */
export function readJsonStrings(schema: JsonSchema | undefined, value: unknown): unknown {
  const type = schema?.type;
  let node = value;
  if ((type === 'object' || type === 'array') && typeof node === 'string') {
    const read = readJson(node);
    if (read === undefined || Array.isArray(read) !== (type === 'array') || checkStructure(read)) return node;
    node = read;
  }
  if (Array.isArray(node)) return schema?.items ? node.map((item) => readJsonStrings(schema.items, item)) : node;
  if (!isObject(node) || !schema?.properties) return node;
  const { properties, required = [] } = schema;
  const given = Object.entries(node).filter(([key, child]) => child !== null || !Object.hasOwn(properties, key) || required.includes(key));
  return Object.fromEntries(given.map(([key, child]) => [key, Object.hasOwn(properties, key) ? readJsonStrings(properties[key], child) : child]));
}

/** class-validator takes an array where a nested object is wanted (it validates the items, and `[]` has none). */
function misplacedArrays(schema: JsonSchema | undefined, value: unknown, path: string): Violation[] {
  if (Array.isArray(value)) {
    if (schema?.properties) return [{ path, code: 'isObject', message: 'must be an object, not an array' }];
    return schema?.items?.properties ? value.flatMap((item, index) => misplacedArrays(schema.items, item, pointer(path, index))) : [];
  }
  if (!isObject(value) || !schema?.properties) return [];
  const { properties } = schema;
  return Object.entries(value).flatMap(([key, child]) => (Object.hasOwn(properties, key) ? misplacedArrays(properties[key], child, pointer(path, key)) : []));
}

function readJson(text: string): object | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}

function flatten(error: ValidationError, parent: string): Violation[] {
  const path = pointer(parent, error.property);
  const own = Object.entries(error.constraints ?? {}).map(([code, message]) =>
    code === 'whitelistValidation' ? unknownField(path, error) : { path, code, message: message.replace(new RegExp(`^${escape(error.property)} `), '') },
  );
  return [...own, ...(error.children ?? []).flatMap((child) => flatten(child, path))];
}

function unknownField(path: string, { property, target }: ValidationError): Violation {
  const violation = { path, code: 'whitelistValidation', message: `unknown field "${clip(property)}"` };
  const nearest = target && nearestName(property, fieldNames(target.constructor as DtoClass));
  return nearest ? { ...violation, suggestion: nearest } : violation;
}

function fieldNames(dto: DtoClass): string[] {
  return getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false).map(({ propertyName }) => propertyName);
}

/** The known name a person probably meant, or undefined where nothing is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64 || !known.length) return undefined;
  const candidate = closest(name.toLowerCase(), [...known]);
  return distance(name.toLowerCase(), candidate) <= Math.max(2, Math.floor(candidate.length / 3)) ? candidate : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON Pointer of a child (RFC 6901). */
export function pointer(parent: string, key: string | number): string {
  return `${parent}/${clip(String(key)).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
