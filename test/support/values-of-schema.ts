import fc from 'fast-check';
import type { JsonSchema } from '#libs/platform';

/** What has broken programs like this one: SQL, templates, paths, prototypes, broken text, numbers at the edge. */
const hostile: unknown[] = [
  "' OR 1=1 --",
  "'; DROP TABLE build; --",
  '%27%20OR%201=1',
  '${7*7}{{7*7}}<%= 7*7 %>#{7*7}',
  '<script>alert(1)</script>',
  '../../../../etc/passwd',
  '..\\..\\secret',
  '/dev/zero',
  'file:///etc/passwd',
  '$(reboot) `reboot` ; reboot',
  'a\u0000b',
  '\ud800',
  '\u202e\u0000\ufeff',
  'line\r\nSet-Cookie: a=b',
  '__proto__',
  'constructor',
  '%s%n%x',
  '-o ProxyCommand=reboot',
  '',
  ' ',
  'x'.repeat(20_000),
  '😀'.repeat(300),
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  1e300,
  [],
  [[[[[]]]]],
  {},
  { $gt: '' },
  { toString: 1, valueOf: 2, then: 3 },
  JSON.parse('{"__proto__":{"isAdmin":true}}') as unknown,
];

export const hostileValue = (): fc.Arbitrary<unknown> =>
  fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: 'binary', maxLength: 60 }), fc.jsonValue({ maxDepth: 3 }));

/** Values that fit a schema for the most part, so that they get past the first check, and now and then do not. */
export function valuesOf(
  schema: JsonSchema,
  definitions: Record<string, JsonSchema> = {},
  depth = 0,
): fc.Arbitrary<unknown> {
  const $ref = schema.$ref as string | undefined;
  if ($ref) return valuesOf(definitions[$ref.split('/').at(-1) ?? ''] ?? {}, definitions, depth + 1);
  return fc.oneof(
    { weight: 6, arbitrary: fitting(schema, definitions, depth) },
    { weight: 1, arbitrary: hostileValue() },
  );
}

function fitting(schema: JsonSchema, definitions: Record<string, JsonSchema>, depth: number): fc.Arbitrary<unknown> {
  const {
    enum: words,
    anyOf,
    oneOf,
    allOf,
  } = schema as { enum?: unknown[]; anyOf?: JsonSchema[]; oneOf?: JsonSchema[]; allOf?: JsonSchema[] };
  if (words?.length) return fc.constantFrom(...words);
  const choices = anyOf ?? oneOf ?? allOf;
  if (choices?.length && depth < 6)
    return fc.oneof(...choices.map((choice) => valuesOf(choice, definitions, depth + 1)));
  switch (schema.type) {
    case 'string':
      return schema.format === 'uuid'
        ? fc.uuid()
        : fc.oneof(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.string({ maxLength: 40 }), fc.uuid());
    case 'integer':
    case 'number':
      return fc.oneof(
        fc.integer({ min: 0, max: 300 }),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
      );
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(depth < 6 ? valuesOf(schema.items ?? {}, definitions, depth + 1) : fc.constant(null), {
        maxLength: 4,
      });
    case 'object':
      return depth < 6 ? objects(schema, definitions, depth) : fc.constant({});
    default:
      return hostileValue();
  }
}

function objects(
  { properties = {}, required = [] }: { properties?: Record<string, JsonSchema>; required?: string[] },
  definitions: Record<string, JsonSchema>,
  depth: number,
): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, valuesOf(schema, definitions, depth + 1)]),
  );
  const known = fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
  const strange = fc.dictionary(
    fc.constantFrom('extra', '__proto__', 'constructor', 'owner_id', 'ownerId', 'isAdmin', 'id'),
    hostileValue(),
    { maxKeys: 2 },
  );
  return fc.oneof(
    { weight: 5, arbitrary: known },
    { weight: 1, arbitrary: fc.tuple(known, strange).map(([object, more]) => ({ ...object, ...more })) },
  );
}
