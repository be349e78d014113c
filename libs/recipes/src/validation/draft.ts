import { pointer } from '#libs/platform';
import { isObject, type JsonObject } from '../normalise/json-values.js';

/**
 * A recipe in its canonical spelling whose fields may still be of the wrong type. The rules read it through these functions, so
 * that one wrong field does not hide what is wrong elsewhere; wrong types are told by the check of the schema.
 */
export type Draft = JsonObject;

export interface Placed<T> {
  value: T;
  /** JSON Pointer of the value. */
  path: string;
}

export function part(draft: JsonObject, key: string): JsonObject {
  const value = Object.hasOwn(draft, key) ? draft[key] : undefined;
  return isObject(value) ? value : {};
}

export function text(draft: JsonObject, key: string): string | undefined {
  const value = Object.hasOwn(draft, key) ? draft[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** A whole number, also one given as text. */
export function whole(draft: JsonObject, key: string): number | undefined {
  const value = Object.hasOwn(draft, key) ? draft[key] : undefined;
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
}

export function objects(draft: JsonObject, key: string, parent = ''): Placed<JsonObject>[] {
  return items(draft, key, parent).filter((item): item is Placed<JsonObject> => isObject(item.value));
}

export function texts(draft: JsonObject, key: string, parent = ''): Placed<string>[] {
  return items(draft, key, parent).filter((item): item is Placed<string> => typeof item.value === 'string');
}

function items(draft: JsonObject, key: string, parent: string): Placed<unknown>[] {
  const list = Object.hasOwn(draft, key) ? draft[key] : undefined;
  const path = pointer(parent, key);
  return Array.isArray(list) ? list.map((value: unknown, at) => ({ value, path: pointer(path, at) })) : [];
}
