import type { JsonSchema } from '#libs/platform';

/**
 * An input schema as clients pass it on to model providers: their common subset (the rules are written down in
 * test/support/client-schema-rules.ts). What must not be in it is said in words instead; the input is checked by the DTO's own rules.
 */
export function toolInputSchema(schema: JsonSchema): JsonSchema {
  const { properties = {}, ...rest } = simple(schema);
  return { ...rest, type: 'object', properties };
}

function simple({
  default: fallback,
  not: _not,
  enum: values,
  description,
  properties,
  items,
  ...rest
}: JsonSchema): JsonSchema {
  const ofText = rest.type === 'string';
  const words = [
    description,
    !ofText && values && `One of ${(values as unknown[]).join(', ')}.`,
    defaultInWords(fallback),
  ]
    .filter(Boolean)
    .join(' ');
  // A converter to strict schemas closes an object that does not say that it is open, and nothing could be put into it any more.
  const open = rest.type === 'object' && !properties && rest.additionalProperties === undefined;
  return {
    ...rest,
    ...(ofText && values !== undefined && { enum: values }),
    ...(words && { description: words }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, simple(property)])),
    }),
    ...(items && { items: simple(items) }),
    ...(open && { additionalProperties: true }),
  };
}

/** Empty defaults go without saying. */
function defaultInWords(fallback: unknown): string | undefined {
  if (typeof fallback === 'string') return fallback && `Default: ${fallback}.`;
  return typeof fallback === 'number' || typeof fallback === 'boolean' ? `Default: ${fallback}.` : undefined;
}
