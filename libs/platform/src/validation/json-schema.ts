import { defaultMetadataStorage } from 'class-transformer/cjs/storage.js';
import { Allow, getMetadataStorage } from 'class-validator';
import { JSONSchema, validationMetadatasToSchemas } from 'class-validator-jsonschema';

export type JsonSchema = Record<string, unknown> & {
  type?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  required?: string[];
};
export type DtoClass<T extends object = object> = new () => T;

/** Describes a DTO property for people and models; the text ends up in the tool's schema and in OpenAPI. */
export const Doc = (description: string, more: Record<string, unknown> = {}): PropertyDecorator =>
  JSONSchema({ description, ...more }) as PropertyDecorator;

const refPrefix = '#/components/schemas/';

/** A property of an answer: never validated, only described. */
export const Out =
  (description: string, schema: Record<string, unknown>): PropertyDecorator =>
  (target, key) => {
    Allow()(target, key);
    Doc(description, schema)(target, key);
  };

/** Refers to another DTO by its class name. */
export const schemaRef = (name: string): { $ref: string } => ({ $ref: `${refPrefix}${name}` });

const options = { classTransformerMetadataStorage: defaultMetadataStorage, refPointerPrefix: refPrefix };
const inlined = new Map<DtoClass, JsonSchema>();
let named: { size: number; schemas: Record<string, JsonSchema> } | undefined;

/**
 * The self-contained JSON Schema of a DTO class, derived from its class-validator decorators; objects are closed
 * (`additionalProperties: false`), references are resolved in place because not every MCP client follows them.
 */
export function schemaOf(dto: DtoClass): JsonSchema {
  const known = inlined.get(dto);
  if (known) return known;
  const all = namedSchemas();
  const own = all[dto.name] ?? { type: 'object', properties: {}, additionalProperties: false };
  const schema = resolve(own, all, []);
  inlined.set(dto, schema);
  return schema;
}

/** Every DTO by class name, with references between them: the `components.schemas` of OpenAPI. */
export function namedSchemas(): Record<string, JsonSchema> {
  // DTO classes are only ever added, while modules load.
  const { size } = (getMetadataStorage() as unknown as { validationMetadatas: Map<unknown, unknown> })
    .validationMetadatas;
  if (named?.size !== size) {
    const all = validationMetadatasToSchemas(options) as Record<string, JsonSchema>;
    named = { size, schemas: Object.fromEntries(Object.entries(all).map(([name, schema]) => [name, close(schema)])) };
  }
  return named.schemas;
}

/** Closes an object, and takes from `required` what has a default. */
function close(schema: JsonSchema): JsonSchema {
  if (schema.type !== 'object' || !schema.properties) return schema;
  const { properties, required: listed, ...rest } = schema;
  const required = listed?.filter((name) => properties[name]?.default === undefined) ?? [];
  return {
    ...rest,
    properties,
    ...(required.length && { required }),
    additionalProperties: schema.additionalProperties ?? false,
  };
}

function resolve<T>(node: T, all: Record<string, JsonSchema>, path: string[]): T {
  if (Array.isArray(node)) return node.map((item: unknown) => resolve(item, all, path)) as T;
  if (!node || typeof node !== 'object') return node;
  const { $ref, ...rest } = node as Record<string, unknown>;
  if (typeof $ref === 'string' && $ref.startsWith(refPrefix)) {
    const name = $ref.slice(refPrefix.length);
    const target = all[name];
    if (!target || path.includes(name)) throw new Error(`The schema of ${name} is missing or refers to itself.`);
    return resolve({ ...target, ...rest }, all, [...path, name]) as T;
  }
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, resolve(value as unknown, all, path)]),
  ) as T;
}
