import { Ajv } from 'ajv';
import type { JsonSchema } from '#libs/platform';

export interface ListedTool {
  name: string;
  description: string;
  inputSchema: JsonSchema;
  outputSchema?: JsonSchema;
}
interface Node {
  schema: JsonSchema;
  path: string;
  depth: number;
}

/** What is wrong with a tool in a client's eyes: one sentence each. One wrong tool often loses the client the whole list. */
type Rule = (tool: ListedTool) => string[];

const combinators = ['anyOf', 'oneOf', 'allOf', 'not', 'if', 'then', 'else', 'enum'];
/** OpenAI, "Structured outputs": what strict schemas must not hold ("'default' is not permitted" is the API's own answer). */
const notStrict = [
  'allOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentRequired',
  'dependentSchemas',
  'patternProperties',
  'unevaluatedProperties',
  'propertyNames',
  'default',
  'contains',
  'uniqueItems',
  '$ref',
];
/** The same page, formats of strings. */
const strictFormats = ['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'];
/** Gemini API, `Schema` (v1beta): every other field of a function's parameters is "Unknown name". `additionalProperties` is dropped by its clients and taken in `parametersJsonSchema`. */
const geminiFields = [
  'type',
  'format',
  'title',
  'description',
  'nullable',
  'enum',
  'maxItems',
  'minItems',
  'properties',
  'required',
  'minProperties',
  'maxProperties',
  'minLength',
  'maxLength',
  'pattern',
  'example',
  'anyOf',
  'propertyOrdering',
  'default',
  'items',
  'minimum',
  'maximum',
  'additionalProperties',
];
const geminiFormats = ['date-time', 'enum'];

const every = (
  tool: ListedTool,
  rule: (node: Node) => string | false | undefined,
  schema = tool.inputSchema,
  start = 'input',
): string[] =>
  nodesOf(schema, start, 0).flatMap((node) => {
    const wrong = rule(node);
    return wrong ? [`${tool.name} ${node.path}: ${wrong}`] : [];
  });

/** Messages API, `tools`: the name, no combinator at the top of input_schema, names of properties; draft 2020-12. */
const anthropic: Rule = (tool) => [
  ...(/^[a-zA-Z0-9_-]{1,64}$/.test(tool.name) ? [] : [`${tool.name}: name`]),
  ...combinators.filter((word) => word in tool.inputSchema).map((word) => `${tool.name}: ${word} at the top`),
  ...every(tool, ({ schema }) =>
    Object.keys(schema.properties ?? {}).find((name) => !/^[a-zA-Z0-9_.-]{1,64}$/.test(name)),
  ),
];

/** Function calling: the name, 1,024 characters of description, an object at the top, a type everywhere, items in every array. */
const openai: Rule = (tool) => [
  ...(/^[a-zA-Z0-9_-]{1,64}$/.test(tool.name) ? [] : [`${tool.name}: name`]),
  ...(tool.description.length <= 1024
    ? []
    : [`${tool.name}: the description has ${tool.description.length} characters`]),
  ...(tool.inputSchema.type === 'object' && tool.inputSchema.properties
    ? []
    : [`${tool.name}: not an object with properties`]),
  ...combinators.filter((word) => word in tool.inputSchema).map((word) => `${tool.name}: ${word} at the top`),
  ...every(tool, ({ schema }) => schema.type === undefined && !schema.anyOf && 'has no type'),
  ...itemsEverywhere(tool),
];

/**
 * Strict mode as converters make it (`ensure_strict_json_schema` of OpenAI's Agents SDK): they close objects and make all fields required.
 * What is open must say so, so that the tool is sent without strict mode instead of with objects that take nothing.
 */
const openaiStrict: Rule = (tool) => [
  ...every(tool, ({ schema }) => notStrict.find((word) => word in schema)),
  ...every(
    tool,
    ({ schema }) =>
      schema.type === 'object' &&
      !schema.properties &&
      schema.additionalProperties !== true &&
      schema !== tool.inputSchema &&
      'an open object that does not say so',
  ),
  ...every(tool, ({ schema }) => (schema.required ?? []).find((name) => !Object.hasOwn(schema.properties ?? {}, name))),
  ...every(
    tool,
    ({ schema }) =>
      typeof schema.format === 'string' && !strictFormats.includes(schema.format) && `format ${schema.format}`,
  ),
  // Nor do its and Gemini's (RE2) engines look around or back.
  ...every(
    tool,
    ({ schema }) =>
      typeof schema.pattern === 'string' && /\(\?[=!<]|\\[1-9]/.test(schema.pattern) && `pattern ${schema.pattern}`,
  ),
  ...every(tool, ({ depth }) => depth > 10 && 'more than ten levels'),
  ...(nodesOf(tool.inputSchema, '', 0).length <= 5_000 ? [] : [`${tool.name}: more than 5,000 properties`]),
];

/** Names begin with a letter or an underscore; one type, not a list of them; text enums only. */
const gemini: Rule = (tool) => [
  ...(/^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$/.test(tool.name) ? [] : [`${tool.name}: name`]),
  ...every(tool, ({ schema }) => Object.keys(schema).find((field) => !geminiFields.includes(field))),
  ...every(tool, ({ schema }) => typeof schema.type !== 'string' && !schema.anyOf && 'not one type'),
  ...every(
    tool,
    ({ schema }) =>
      Array.isArray(schema.enum) &&
      (schema.type !== 'string' || schema.enum.some((value) => typeof value !== 'string' || value === '')) &&
      'an enum that is not of texts',
  ),
  ...every(
    tool,
    ({ schema }) =>
      schema.type === 'string' &&
      typeof schema.format === 'string' &&
      !geminiFormats.includes(schema.format) &&
      `format ${schema.format}`,
  ),
  ...every(
    tool,
    ({ schema }) =>
      Array.isArray(schema.required) && schema.required.find((name) => !Object.hasOwn(schema.properties ?? {}, name)),
  ),
  ...itemsEverywhere(tool),
];

const draft7 = new Ajv({ strict: false });

/** Copilot Chat's toolSchemaNormalizer: draft 7, items in every array (both throw for the whole list); descriptions cut at 1,024 characters. */
const vscode: Rule = (tool) => [
  ...(draft7.validateSchema(tool.inputSchema) === true ? [] : [`${tool.name}: not valid in draft 7`]),
  ...(tool.inputSchema.type === 'object' && tool.inputSchema.properties
    ? []
    : [`${tool.name}: not an object with properties`]),
  ...combinators.filter((word) => word in tool.inputSchema).map((word) => `${tool.name}: ${word} at the top`),
  ...every(
    tool,
    ({ schema }) =>
      typeof schema.description === 'string' &&
      schema.description.length > 1024 &&
      'a description of more than 1,024 characters',
  ),
  ...itemsEverywhere(tool),
];

/** The SDK's ToolSchema (MCP 2025-11-25, Tool): both schemas are objects, or `tools/list` fails as a whole; outputs are read by programs, so nothing may be referred to. */
const sdk: Rule = (tool) => [
  ...[tool.inputSchema, tool.outputSchema]
    .filter((schema) => schema && schema.type !== 'object')
    .map(() => `${tool.name}: not an object`),
  ...(tool.outputSchema
    ? every(
        tool,
        ({ schema }) =>
          '$ref' in schema ? '$ref' : schema.type === 'array' && !schema.items && 'an array without items',
        tool.outputSchema,
        'output',
      )
    : []),
];

export const clientSchemaRules: Record<string, Rule> = { anthropic, openai, openaiStrict, gemini, vscode, sdk };

function itemsEverywhere(tool: ListedTool): string[] {
  return every(
    tool,
    ({ schema }) =>
      schema.type === 'array' && (!schema.items || Array.isArray(schema.items)) && 'an array without items',
  );
}

/** A schema and all that are in it, wherever one may stand. */
function nodesOf(schema: JsonSchema, path: string, depth: number): Node[] {
  const lists = ['anyOf', 'oneOf', 'allOf', 'prefixItems'].flatMap((word) =>
    ((schema[word] as JsonSchema[] | undefined) ?? []).map((child, index) => [`${word}/${index}`, child] as const),
  );
  const single = ['items', 'not', 'if', 'then', 'else', 'additionalProperties', 'contains'].flatMap((word) =>
    isSchema(schema[word]) ? [[word, schema[word]] as const] : [],
  );
  const children = [...Object.entries(schema.properties ?? {}), ...lists, ...single];
  return [
    { schema, path, depth },
    ...children.flatMap(([name, child]) => nodesOf(child, `${path}/${name}`, depth + 1)),
  ];
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
