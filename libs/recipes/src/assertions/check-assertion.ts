import { nearestName, pointer, type JsonSchema, type Violation } from '#libs/platform';
import {
  assertionTypes,
  commonParameters,
  type AssertionType,
  type AssertionTypeName,
  type ParameterSpec,
} from './assertion-types.js';

const maxText = 8_192;
/** Mistakes of one assertion. */
const mostTold = 20;

/** Checks the params of one assertion. @param path JSON Pointer of `params` */
export function checkAssertion(
  typeName: AssertionTypeName,
  params: Record<string, unknown>,
  path: string,
): Violation[] {
  const type: AssertionType = assertionTypes[typeName];
  const known: Record<string, ParameterSpec> = { ...type.params, ...commonParameters };
  const violations: Violation[] = [];
  for (const [name, value] of Object.entries(params)) {
    if (violations.length >= mostTold) break;
    const spec = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!spec) {
      const suggestion = nearestName(name, Object.keys(known));
      violations.push({
        path: pointer(path, name),
        code: 'unknown_parameter',
        message: `${typeName} has no parameter of this name`,
        ...(suggestion && { suggestion }),
      });
    } else {
      const problem = checkValue(value, spec);
      if (problem) violations.push({ path: pointer(path, name), code: 'invalid_parameter', message: problem });
    }
  }
  for (const [name, { required }] of Object.entries(type.params)) {
    if (required && params[name] === undefined)
      violations.push({
        path: pointer(path, name),
        code: 'missing_parameter',
        message: `${typeName} needs the parameter ${name}`,
      });
  }
  if (type.anyOf && !type.anyOf.some((name) => params[name] !== undefined))
    violations.push({ path, code: 'missing_parameter', message: `${typeName} needs one of ${type.anyOf.join(', ')}` });
  if (typeof params.pattern === 'string' && !isPattern(params.pattern))
    violations.push({
      path: pointer(path, 'pattern'),
      code: 'invalid_parameter',
      message: 'must be a regular expression',
    });
  return violations;
}

function checkValue(
  value: unknown,
  { kind, values, min = -Infinity, max = Infinity }: ParameterSpec,
): string | undefined {
  switch (kind) {
    case 'text': {
      // sysctl values and versions look like numbers, and models send them as such.
      const text = typeof value === 'number' ? String(value) : value;
      if (typeof text !== 'string' || !text || text.length > maxText || text.includes('\u0000'))
        return `must be text of 1 to ${maxText} characters`;
      return values && !values.includes(text) ? `must be one of ${values.join(', ')}` : undefined;
    }
    case 'whole': {
      const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
      return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
        ? undefined
        : `must be a whole number from ${min} to ${max}`;
    }
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'texts':
      return Array.isArray(value) &&
        value.length <= 200 &&
        value.every((item) => typeof item === 'string' && item.length <= maxText)
        ? undefined
        : 'must be a list of at most 200 texts';
    case 'record':
      return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length <= 50
        ? undefined
        : 'must be an object of at most 50 entries';
  }
}

function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text));
  } catch {
    return false;
  }
}

/** The numeric strings of checked params as numbers, numbers given for texts as texts. */
export function coerceParams(typeName: AssertionTypeName, params: Record<string, unknown>): Record<string, unknown> {
  const known: Record<string, ParameterSpec> = { ...assertionTypes[typeName].params, ...commonParameters };
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const kind = known[name]?.kind;
      if (kind === 'whole') return [name, Number(value)];
      return [name, kind === 'text' && typeof value === 'number' ? String(value) : value];
    }),
  );
}

export function assertionSchema(typeName: AssertionTypeName): JsonSchema {
  const type: AssertionType = assertionTypes[typeName];
  const required = Object.entries(type.params)
    .filter(([, spec]) => spec.required)
    .map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries({ ...type.params, ...commonParameters }).map(([name, spec]) => [name, parameterSchema(spec)]),
    ),
    ...(required.length && { required }),
    ...(type.anyOf && { anyOf: type.anyOf.map((name) => ({ required: [name] })) }),
    additionalProperties: false,
  };
}

function parameterSchema({ kind, values, min, max, default: fallback }: ParameterSpec): JsonSchema {
  const shapes: Record<ParameterSpec['kind'], JsonSchema> = {
    text: { type: 'string', ...(values && { enum: [...values] }) },
    whole: { type: 'integer', minimum: min, maximum: max },
    flag: { type: 'boolean' },
    texts: { type: 'array', items: { type: 'string' } },
    record: { type: 'object' },
  };
  return { ...shapes[kind], ...(fallback !== undefined && { default: fallback }) };
}
