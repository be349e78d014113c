import { schemaOf, type JsonSchema } from '#libs/platform';
import { assertionTypeNames } from '../assertions/assertion-types.js';
import { assertionSchema } from '../assertions/check-assertion.js';
import { serviceConfigs } from '../services/service-configs.js';
import { RecipeDto } from './recipe.dto.js';

/** The whole recipe as JSON Schema (draft 2020-12). What depends on a name beside it is told by if/then. */
export function recipeSchema(publicUrl: string): JsonSchema {
  const schema = structuredClone(schemaOf(RecipeDto));
  const service = schema.properties?.services?.items;
  const assertion = schema.properties?.tests?.items?.properties?.assertions?.items;
  if (service)
    service.allOf = Object.entries(serviceConfigs).map(([name, dto]) => when('name', name, 'config', schemaOf(dto)));
  if (assertion)
    assertion.allOf = assertionTypeNames.map((name) => when('type', name, 'params', assertionSchema(name)));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `${publicUrl}/api/recipes/schema`,
    title: 'OpenFactory recipe',
    ...schema,
  };
}

function when(key: string, value: string, field: string, schema: JsonSchema): JsonSchema {
  return {
    if: { properties: { [key]: { const: value } }, required: [key] },
    then: { properties: { [field]: schema } },
  };
}

/**
 * An outline for tools: the fields of the recipe with type and description; what is inside them is told in words. The whole
 * schema would cost every client that lists tools thousands of tokens.
 */
export function outlineOf(schema: JsonSchema): JsonSchema {
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, field]) => [name, outlineField(field)]),
  );
  return { type: 'object', properties, ...(schema.required && { required: schema.required }) };
}

function outlineField(field: JsonSchema): JsonSchema {
  const inner = field.items?.properties ?? field.properties;
  const names =
    inner && Object.keys(inner).map((name) => ((field.items ?? field).required?.includes(name) ? name : `${name}?`));
  const words = [field.description, names && `${field.items ? 'Each entry: ' : ''}{${names.join(', ')}}`]
    .filter(Boolean)
    .join(' ');
  const itemType = field.items?.type;
  return {
    type: field.type,
    description: words,
    ...(field.type === 'array' && itemType && { items: { type: itemType } }),
    ...(field.default !== undefined && { default: field.default }),
  };
}
