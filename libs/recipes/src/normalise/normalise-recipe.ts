import { canonicalJson, checkStructure, pointer, schemaOf, type JsonSchema, type Violation } from '#libs/platform';
import { RecipeDto } from '../schema/recipe.dto.js';
import { aliasWrappers, fieldAliases } from './aliases.js';
import { cutToFit } from './cut-to-fit.js';
import { isObject, readJsonText, type JsonObject } from './json-values.js';
import { readRepositoryLine } from './repository-line.js';

/** Deeper values are left alone: the check of the structure refuses them, and recursion must end somewhere. */
const maxDepth = 32;
const aliases = fieldAliases.map(({ from }) => from[0] ?? '');

export interface NormalisedRecipe {
  /** The recipe in its canonical spelling; not checked yet. Anything that is no object stays as it came. */
  recipe: unknown;
  violations: Violation[];
}

/**
 * Brings a recipe into its one canonical spelling: JSON text is read, nulls are taken as absent, aliases are moved to their fields,
 * repository lines become objects. Never throws, whatever it is given.
 * @param keepNulls for a merge patch, where null means removal
 */
export function normaliseRecipe(input: unknown, { keepNulls = false } = {}): NormalisedRecipe {
  const read = readJsonText(input);
  if (!isObject(read)) return { recipe: read, violations: [] };
  // Its own violation is told by the check of the schema.
  if (checkStructure(read)) return { recipe: read, violations: [] };
  const opened = readKnownJson(
    schemaOf(RecipeDto),
    openWrappers(cutToFit(schemaOf(RecipeDto), read, { more: aliases }) as JsonObject),
    0,
  );
  const recipe = (keepNulls ? opened : withoutNulls(opened, 0)) as JsonObject;
  const violations = moveAliases(recipe);
  // What an alias brought may be JSON text as well.
  const settled = readKnownJson(schemaOf(RecipeDto), recipe, 0) as JsonObject;
  if (Array.isArray(settled.extra_repos)) settled.extra_repos = settled.extra_repos.map(readRepositoryLine);
  return { recipe: settled, violations };
}

/** The containers of aliases are no fields of the recipe, so the schema does not say that their text is JSON. */
function openWrappers(recipe: JsonObject): JsonObject {
  const opened = { ...recipe };
  for (const name of [...aliasWrappers, 'security'])
    if (Object.hasOwn(opened, name)) opened[name] = readJsonText(opened[name]);
  return opened;
}

function readKnownJson(schema: JsonSchema | undefined, value: unknown, depth: number): unknown {
  if (depth > maxDepth) return value;
  const node = schema?.type === 'object' || schema?.type === 'array' ? readIfFits(schema.type, value) : value;
  if (Array.isArray(node))
    return schema?.items ? node.map((item) => readKnownJson(schema.items, item, depth + 1)) : node;
  if (!isObject(node)) return node;
  const properties = schema?.properties ?? {};
  return Object.fromEntries(
    Object.entries(node).map(([key, child]) => [
      key,
      Object.hasOwn(properties, key) ? readKnownJson(properties[key], child, depth + 1) : child,
    ]),
  );
}

function readIfFits(type: 'object' | 'array', value: unknown): unknown {
  const read = readJsonText(value);
  return (type === 'array') === Array.isArray(read) ? read : value;
}

/** A field that is null counts as not given; a null inside a list is a mistake and stays. */
function withoutNulls(value: unknown, depth: number): unknown {
  if (depth > maxDepth || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => [key, withoutNulls(child, depth + 1)]),
  );
}

function moveAliases(recipe: JsonObject): Violation[] {
  const violations: Violation[] = [];
  for (const { from, to } of fieldAliases) {
    const source = parentOf(recipe, from, false);
    const [field, target] = [from.at(-1) ?? '', to.at(-1) ?? ''];
    if (!source || !Object.hasOwn(source, field)) continue;
    const home = parentOf(recipe, to, true);
    if (!home) continue;
    const value = source[field];
    delete source[field];
    if (!Object.hasOwn(home, target)) home[target] = value;
    else if (!same(home[target], value)) {
      const path = from.reduce<string>((parent, key) => pointer(parent, key), '');
      violations.push({
        path,
        code: 'alias_conflict',
        message: `says something else than ${to.join('.')}, which it is another name of`,
        suggestion: to.join('.'),
      });
    }
  }
  for (const wrapper of aliasWrappers) {
    const rest = recipe[wrapper];
    if (isObject(rest) && Object.keys(rest).length === 0) delete recipe[wrapper];
  }
  return violations;
}

function parentOf(recipe: JsonObject, keys: readonly string[], make: boolean): JsonObject | undefined {
  let node: JsonObject = recipe;
  for (const key of keys.slice(0, -1)) {
    if (!Object.hasOwn(node, key) && make) node[key] = {};
    const next = Object.hasOwn(node, key) ? node[key] : undefined;
    if (!isObject(next)) return undefined;
    node = next;
  }
  return node;
}

function same(one: unknown, other: unknown): boolean {
  try {
    return canonicalJson(readJsonText(one)) === canonicalJson(readJsonText(other));
  } catch {
    return false;
  }
}
