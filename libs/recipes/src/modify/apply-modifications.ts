import { nearestName, pointer, schemaOf, type Violation } from '#libs/platform';
import { isObject, readJsonText, type JsonObject } from '../normalise/json-values.js';
import { normaliseRecipe } from '../normalise/normalise-recipe.js';
import { fieldAliases } from '../normalise/aliases.js';
import { RecipeDto } from '../schema/recipe.dto.js';
import { changeList, listChanges } from './list-changes.js';
import { mergePatch } from './merge-patch.js';

/** The modifications are refused with the first mistake, so what comes after these is not looked at. */
const mostTold = 200;
/** More than any list of a recipe may hold, so that it is refused as such. */
const mostEntries = 2_500;

/**
 * Applies modifications to a recipe: fields of the recipe as a JSON merge patch, then the changes of lists. The result is not
 * checked yet; what is returned as violations is wrong with the modifications themselves, by their own paths.
 */
export function applyModifications(
  recipe: JsonObject,
  modifications: JsonObject,
): { recipe: JsonObject; violations: Violation[] } {
  const violations: Violation[] = [];
  const patch: JsonObject = {};
  const changes: { key: string; entries: unknown[] }[] = [];
  for (const [key, value] of Object.entries(modifications)) {
    if (violations.length >= mostTold) break;
    const path = pointer('/modifications', key);
    if (Object.hasOwn(listChanges, key)) {
      const entries = readJsonText(value);
      if (entries === null) continue;
      if (Array.isArray(entries)) changes.push({ key, entries: entries.slice(0, mostEntries) });
      else violations.push({ path, code: 'is_array', message: 'must be a list' });
    } else if (recipeKeys.has(key)) patch[key] = value;
    else {
      const suggestion = nearestName(key, [...recipeKeys, ...Object.keys(listChanges)]);
      violations.push({
        path,
        code: 'unknown_field',
        message: 'is neither a field of the recipe nor a change of a list',
        ...(suggestion && { suggestion }),
      });
    }
  }
  const changed = mergePatch(recipe, canonical(patch)) as JsonObject;
  for (const { key, entries } of changes) {
    const change = listChanges[key];
    if (!change) continue;
    const { list, absent } = changeList(changed, change, entries);
    changed[change.list] = list;
    for (const at of absent.slice(0, mostTold))
      violations.push({
        path: pointer(pointer('/modifications', key), at),
        code: 'nothing_to_remove',
        message: `is not in ${change.list} of the template`,
      });
  }
  return { recipe: changed, violations };
}

const recipeKeys = new Set([
  ...Object.keys(schemaOf(RecipeDto).properties ?? {}),
  ...fieldAliases.map(({ from }) => from[0] ?? ''),
]);

/** Aliases and JSON text settled, but nulls kept: in a merge patch they remove. */
function canonical(patch: JsonObject): JsonObject {
  const { recipe } = normaliseRecipe(patch, { keepNulls: true });
  return isObject(recipe) ? recipe : patch;
}
