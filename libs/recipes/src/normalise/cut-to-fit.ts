import { cutList, type JsonSchema } from '#libs/platform';
import { isObject } from './json-values.js';

/** Enough to be refused, and for the check of the schema to say that there are more. */
const mostUnknown = 201;

/**
 * No more of a value than it takes to refuse it: one item beyond what a list may have, and some fields that the schema does not know. Whatever walks the
 * recipe afterwards walks something bounded. @param more names of fields that count as known
 */
export function cutToFit(
  schema: JsonSchema | undefined,
  value: unknown,
  { more = [], depth = 0 }: { more?: readonly string[]; depth?: number } = {},
): unknown {
  if (!schema || depth > 32) return value;
  const inside = (child: JsonSchema | undefined, node: unknown) => cutToFit(child, node, { depth: depth + 1 });
  if (Array.isArray(value)) return (cutList(schema, value) as unknown[]).map((item) => inside(schema.items, item));
  const { properties } = schema;
  if (!isObject(value) || !properties) return value;
  const names = Object.keys(value);
  const isKnown = (name: string) => Object.hasOwn(properties, name) || more.includes(name);
  const known = names.filter(isKnown);
  const unknown = known.length === names.length ? [] : names.filter((name) => !isKnown(name)).slice(0, mostUnknown);
  return Object.fromEntries(
    [...known, ...unknown].map((name) => [
      name,
      Object.hasOwn(properties, name) ? inside(properties[name], value[name]) : value[name],
    ]),
  );
}
