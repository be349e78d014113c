import { defaultMetadataStorage } from 'class-transformer/cjs/storage.js';
import { getMetadataStorage } from 'class-validator';
import { clip, type Violation } from '../errors/app-error.js';
import { parseJson } from './bounded-json.js';
import type { DtoClass, JsonSchema } from './json-schema.js';
import { nearestName } from './nearest-name.js';
import { checkStructure, pointer, type NodeBudget } from './structure.js';

/** Each of them costs class-transformer and class-validator some 25 µs. */
const mostObjects = 3_000;

type Keys = readonly (string | number)[];

/** An input as the libraries may see it: every key is known, no list is longer than it takes to refuse it, and what has no class is kept from them. */
export interface InputShape {
  value: Record<string, unknown>;
  violations: Violation[];
  /** What the class says nothing of the inside of: to be put into the instance as it is. class-transformer compares every key of an object with every other. */
  withheld: { keys: Keys; value: unknown }[];
}

export class TooManyObjects extends Error {
  readonly violation: Violation = { path: '', code: 'tooLarge', message: `holds more than ${mostObjects} objects` };
}

/** Fits an object to a DTO in one walk. `room` is how many violations are told; what is beyond is not looked for. */
export class InputShaper {
  readonly violations: Violation[] = [];
  readonly withheld: InputShape['withheld'] = [];
  private objects = 0;

  constructor(
    private readonly budget: NodeBudget,
    private readonly room: number,
  ) {}

  /** @throws TooManyObjects */
  shape(dto: DtoClass, schema: JsonSchema, value: Record<string, unknown>): InputShape {
    return {
      value: this.object(dto, schema, value, { keys: [], path: '' }) as Record<string, unknown>,
      violations: this.violations,
      withheld: this.withheld,
    };
  }

  private object(
    dto: DtoClass,
    schema: JsonSchema | undefined,
    given: unknown,
    place: { keys: Keys; path: string },
  ): unknown {
    if (this.isFull) return undefined;
    const value = this.readJson(schema, given);
    if (Array.isArray(value)) {
      // class-validator takes an array where a nested object is wanted: it validates the items, and `[]` has none.
      this.violations.push({ path: place.path, code: 'isObject', message: 'must be an object, not an array' });
      return undefined;
    }
    if (!isObject(value)) return value;
    if (++this.objects > mostObjects) throw new TooManyObjects();
    const fields = fieldSet(dto);
    const shaped: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const path = pointer(place.path, key);
      const child = value[key];
      if (!fields.has(key)) this.unknown(path, key, [...fields]);
      else if (child !== null || schema?.required?.includes(key))
        this.field(shaped, { dto, key, path, keys: [...place.keys, key] }, schema?.properties?.[key], child);
      if (this.isFull) break;
    }
    return shaped;
  }

  private field(
    into: Record<string, unknown>,
    { dto, key, path, keys }: { dto: DtoClass; key: string; path: string; keys: Keys },
    schema: JsonSchema | undefined,
    given: unknown,
  ): void {
    const nested = nestedClass(dto, key);
    const value = cutList(schema, this.readJson(schema, given));
    const isList = schema?.type === 'array';
    if (nested && isList && Array.isArray(value))
      into[key] = value.map((item, at) =>
        this.object(nested, schema.items, item, { keys: [...keys, at], path: pointer(path, at) }),
      );
    else if (nested && !isList) into[key] = this.object(nested, schema, value, { keys, path });
    else if (value !== null && typeof value === 'object')
      this.withheld.push({ keys, value: readInside(this, schema, value) });
    else into[key] = value;
  }

  /** Models often send `"[\"ssh\"]"` where an array is wanted: such a string is read as the JSON it holds. */
  readJson(schema: JsonSchema | undefined, value: unknown): unknown {
    const type = schema?.type;
    if (typeof value !== 'string' || (type !== 'object' && type !== 'array') || !/^\s*[[{]/.test(value)) return value;
    const read = parsed(value);
    return read === undefined || Array.isArray(read) !== (type === 'array') || checkStructure(read, this.budget)
      ? value
      : read;
  }

  /** One more than there is room for tells that there are more. */
  private get isFull(): boolean {
    return this.violations.length > this.room;
  }

  private unknown(path: string, key: string, known: string[]): void {
    const suggestion = nearestName(key, known);
    this.violations.push({
      path,
      code: 'whitelistValidation',
      message: `unknown field "${clip(key)}"${known.length ? '' : '; there are none'}`,
      ...(suggestion && { suggestion }),
    });
  }
}

/** JSON texts and nulls inside of what has a schema but no class of its own. */
function readInside(shaper: InputShaper, schema: JsonSchema | undefined, given: unknown): unknown {
  const value = cutList(schema, shaper.readJson(schema, given));
  if (Array.isArray(value)) return schema?.items ? value.map((item) => readInside(shaper, schema.items, item)) : value;
  if (!isObject(value) || !schema?.properties) return value;
  const { properties, required = [] } = schema;
  const kept = Object.entries(value).filter(
    ([key, child]) => child !== null || !Object.hasOwn(properties, key) || required.includes(key),
  );
  return Object.fromEntries(
    kept.map(([key, child]) => [
      key,
      Object.hasOwn(properties, key) ? readInside(shaper, properties[key], child) : child,
    ]),
  );
}

/** A list that is too long would still be checked item by item; one item beyond the limit is enough to be refused. */
export function cutList(schema: JsonSchema | undefined, value: unknown): unknown {
  const most = schema?.maxItems;
  return Array.isArray(value) && typeof most === 'number' && value.length > most ? value.slice(0, most + 1) : value;
}

/** `@Type(() => Number)` only says how text is read; a class with rules of its own is an object. */
function nestedClass(dto: DtoClass, key: string): DtoClass | undefined {
  const type = (
    defaultMetadataStorage as unknown as {
      findTypeMetadata: (target: DtoClass, key: string) => { typeFunction?: () => DtoClass } | undefined;
    }
  ).findTypeMetadata(dto, key);
  const made = type?.typeFunction?.();
  return made && fieldNames(made).length ? made : undefined;
}

const fieldsOf = new WeakMap<DtoClass, ReadonlySet<string>>();

function fieldSet(dto: DtoClass): ReadonlySet<string> {
  let fields = fieldsOf.get(dto);
  if (!fields)
    fieldsOf.set(
      dto,
      (fields = new Set(
        getMetadataStorage()
          .getTargetValidationMetadatas(dto, '', false, false)
          .map(({ propertyName }) => propertyName),
      )),
    );
  return fields;
}

export function fieldNames(dto: DtoClass): string[] {
  return [...fieldSet(dto)];
}

function parsed(text: string): object | undefined {
  try {
    return parseJson(text) as object;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
