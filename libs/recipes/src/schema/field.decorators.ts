import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import { Doc, type DtoClass } from '#libs/platform';
import type { TextRule } from './text-rules.js';

/**
 * The fields of a recipe in one decorator each: rule, JSON Schema and documentation stay together. Fields are optional unless
 * `required`; a default given here is only documentation, the initialiser of the property sets it.
 */
export interface FieldOptions {
  required?: boolean;
  default?: unknown;
  maxLength?: number;
  maxItems?: number;
  minItems?: number;
}

/** Rules by code, so that a violation of "every item" can be told item by item. */
export const itemRules = new Map<string, (item: unknown) => boolean>();
const register = (code: string, holds: (item: unknown) => boolean): string => {
  itemRules.set(`each.${code}`, holds);
  return `each.${code}`;
};

const all =
  (...decorators: PropertyDecorator[]): PropertyDecorator =>
  (target, key) =>
    decorators.forEach((decorate) => decorate(target, key));
const optional = ({ required }: FieldOptions) => (required ? [] : [IsOptional()]);
const documented = (doc: string, options: FieldOptions, schema: Record<string, unknown> = {}) =>
  Doc(doc, options.default === undefined ? schema : { ...schema, default: options.default });

/** Like `documented`, for a list under a rule of ours: class-validator-jsonschema takes such a property for a reference to a class named Array. */
const documentedList = (doc: string, options: FieldOptions, items: Record<string, unknown>): PropertyDecorator =>
  JSONSchema((source: object) => {
    const { $ref: _ref, ...schema } = source as Record<string, unknown>;
    return {
      ...schema,
      description: doc,
      type: 'array',
      items,
      ...(options.default !== undefined && { default: options.default }),
    };
  }) as PropertyDecorator;

/** A JSON number, or the numeric string that models like to send. */
export const toNumber = (value: unknown): unknown =>
  typeof value === 'string' && /^-?\d{1,15}(\.\d{1,6})?$/.test(value) ? Number(value) : value;

/** class-validator's own ArrayUnique compares every pair. */
const noRepeats = ValidateBy({
  name: 'arrayUnique',
  validator: {
    validate: (value) => !Array.isArray(value) || new Set(value).size === value.length,
    defaultMessage: () => 'must not hold an entry twice',
  },
});

const whatIsWrong = ({ must, schema }: TextRule, value: unknown): string =>
  typeof value === 'string' && value.length > Number(schema.maxLength)
    ? `must be at most ${String(schema.maxLength)} characters`
    : `must ${must}`;

export const Text = (rule: TextRule, doc: string, options: FieldOptions = {}): PropertyDecorator =>
  all(
    ...optional(options),
    ValidateBy({
      name: rule.code,
      validator: {
        validate: (value) => typeof value === 'string' && rule.test(value),
        defaultMessage: (args) => whatIsWrong(rule, args?.value),
      },
    }),
    ...(options.maxLength
      ? [MaxLength(options.maxLength, { message: `must be at most ${options.maxLength} characters` })]
      : []),
    documented(doc, options, {
      type: 'string',
      ...rule.schema,
      ...(options.maxLength && { maxLength: options.maxLength }),
    }),
  );

export const Texts = (rule: TextRule, doc: string, options: FieldOptions = {}): PropertyDecorator => {
  const holds = (item: unknown) => typeof item === 'string' && rule.test(item);
  return all(
    ...optional(options),
    IsArray({ message: 'must be a list' }),
    ArrayMaxSize(options.maxItems ?? 100, { message: `must hold at most ${options.maxItems ?? 100} entries` }),
    noRepeats,
    ValidateBy({
      name: register(rule.code, holds),
      validator: {
        validate: (value) => !Array.isArray(value) || value.every(holds),
        defaultMessage: () => `must ${rule.must}`,
      },
    }),
    documentedList(doc, options, { type: 'string', ...rule.schema }),
  );
};

export const Whole = (min: number, max: number, doc: string, options: FieldOptions = {}): PropertyDecorator =>
  all(
    ...optional(options),
    Transform(({ value }) => toNumber(value)),
    IsInt({ message: `must be a whole number from ${min} to ${max}` }),
    Min(min, { message: `must be a whole number from ${min} to ${max}` }),
    Max(max, { message: `must be a whole number from ${min} to ${max}` }),
    documented(doc, options),
  );
export const Port = (doc: string, options: FieldOptions = {}): PropertyDecorator => Whole(1, 65_535, doc, options);

export const Flag = (doc: string, fallback?: boolean): PropertyDecorator =>
  all(IsOptional(), IsBoolean({ message: 'must be true or false' }), documented(doc, { default: fallback }));

export const OneOf = (values: readonly string[], doc: string, options: FieldOptions = {}): PropertyDecorator =>
  all(
    ...optional(options),
    IsIn(values, { message: `must be one of ${values.join(', ')}` }),
    documented(doc, options, { type: 'string', enum: [...values] }),
  );

export const SomeOf = (values: readonly string[], doc: string, options: FieldOptions = {}): PropertyDecorator => {
  const holds = (item: unknown) => values.includes(item as string);
  return all(
    ...optional(options),
    IsArray({ message: 'must be a list' }),
    ArrayMaxSize(values.length, { message: `must hold at most ${values.length} entries` }),
    noRepeats,
    ValidateBy({
      name: register(`oneOf.${values.join('.')}`, holds),
      validator: {
        validate: (value) => !Array.isArray(value) || (value.length >= (options.minItems ?? 0) && value.every(holds)),
        defaultMessage: () => `must be one of ${values.join(', ')}`,
      },
    }),
    documentedList(doc, options, { type: 'string', enum: [...values] }),
  );
};

export const Part = (type: () => DtoClass, doc: string, options: FieldOptions = {}): PropertyDecorator =>
  all(
    ...optional(options),
    IsObject({ message: 'must be an object' }),
    ValidateNested(),
    Type(type),
    documented(doc, options),
  );

export const Parts = (type: () => DtoClass, doc: string, options: FieldOptions = {}): PropertyDecorator =>
  all(
    ...optional(options),
    IsArray({ message: 'must be a list' }),
    ArrayMaxSize(options.maxItems ?? 100, { message: `must hold at most ${options.maxItems ?? 100} entries` }),
    ValidateNested({ each: true, message: 'must be a list of objects' }),
    Type(type),
    documented(doc, options),
  );

/** An object whose own rules depend on a name beside it (the config of a service, the params of an assertion). */
export const OpenObject = (doc: string, options: FieldOptions = {}): PropertyDecorator =>
  all(...optional(options), IsObject({ message: 'must be an object' }), documented(doc, options, { type: 'object' }));
