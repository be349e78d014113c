import { z } from 'zod';

/** The zod raw shape that says what a JSON Schema object says, so that the peer's tools have the same properties and rules. */
export function rawShape({ properties = {}, required = [] }) {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const type = zodType(schema);
      const described = schema.description ? type.describe(schema.description) : type;
      return [name, required.includes(name) ? described : described.optional()];
    }),
  );
}

function zodType(schema) {
  if (schema.enum?.length && schema.enum.every((value) => typeof value === 'string')) return z.enum(schema.enum);
  switch (schema.type) {
    case 'string':
      return limited(z.string(), schema.minLength, schema.maxLength);
    case 'integer':
      return limited(z.number().int(), schema.minimum, schema.maximum);
    case 'number':
      return limited(z.number(), schema.minimum, schema.maximum);
    case 'boolean':
      return z.boolean();
    case 'array':
      return limited(z.array(schema.items ? zodType(schema.items) : z.unknown()), schema.minItems, schema.maxItems);
    case 'object':
      return schema.properties ? z.object(rawShape(schema)).strict() : z.record(z.string(), z.unknown());
    default:
      return z.unknown();
  }
}

function limited(type, min, max) {
  const atLeast = min === undefined ? type : type.min(min);
  return max === undefined ? atLeast : atLeast.max(max);
}
