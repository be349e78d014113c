import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { invalidArguments, type Violation } from '../errors/app-error.js';
import { fieldNames, InputShaper, isObject, TooManyObjects, type InputShape } from './input-shape.js';
import { schemaOf, type DtoClass } from './json-schema.js';
import { rememberValidationRules } from './metadata-cache.js';
import { mostValues } from './bounded-json.js';
import { quickInstance } from './quick-check.js';
import { checkStructure, pointer } from './structure.js';

rememberValidationRules();

/** So many mistakes are told; more are neither looked for nor listed. */
const maxViolations = 200;

/**
 * Turns untrusted JSON into a valid instance of a DTO.
 * @throws AppError `invalid_arguments` that names every wrong path at once
 */
export function parseInput<T extends object>(dto: DtoClass<T>, value: unknown): T {
  const { instance, violations } = checkInput(dto, value);
  if (!instance) throw invalidArguments(violations);
  return instance;
}

/**
 * Like parseInput, for whoever reports violations as a result instead of refusing. Its cost is bounded by what the class can hold, whatever is sent:
 * unknown fields and endless lists end in one linear walk, before class-transformer and class-validator see anything.
 */
export function checkInput<T extends object>(
  dto: DtoClass<T>,
  value: unknown,
): { instance?: T; violations: Violation[] } {
  const budget = { left: mostValues };
  const structural = checkStructure(value, budget);
  if (structural) return { violations: [structural] };
  if (!isObject(value)) return { violations: [{ path: '', code: 'isObject', message: 'must be an object' }] };
  // class-transformer and class-validator break on some hostile shapes that pass every check; a break is a bad input, not a fault.
  try {
    const shape = new InputShaper(budget, maxViolations).shape(dto, schemaOf(dto), value);
    const { instance, errors } = validated(dto, shape);
    const told = new Set(shape.violations.map(({ path }) => path));
    const violations = [
      ...shape.violations,
      ...errors.flatMap((error) => flatten(error, '')).filter(({ path }) => !told.has(path)),
    ];
    return violations.length ? { violations: atMost(violations) } : { instance, violations };
  } catch (error) {
    return {
      violations: [
        error instanceof TooManyObjects
          ? error.violation
          : { path: '', code: 'malformed', message: 'does not have the shape of this input' },
      ],
    };
  }
}

function validated<T extends object>(
  dto: DtoClass<T>,
  { value, withheld }: InputShape,
): { instance: T; errors: ValidationError[] } {
  // class-validator calls every value of a class without rules "unknown".
  if (!fieldNames(dto).length) return { instance: new dto(), errors: [] };
  const quick = quickInstance(
    dto,
    withheld.length
      ? { ...value, ...Object.fromEntries(withheld.map(({ keys, value: held }) => [keys.join('.'), held])) }
      : value,
  );
  if (quick) return { instance: quick, errors: [] };
  const instance = plainToInstance(dto, value, { exposeDefaultValues: true });
  for (const { keys, value: held } of withheld) {
    const home = keys
      .slice(0, -1)
      .reduce<unknown>((node, key) => (node as Record<string | number, unknown>)[key], instance);
    (home as Record<string | number, unknown>)[keys.at(-1) ?? ''] = held;
  }
  return {
    instance,
    errors: validateSync(instance, {
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      validationError: { target: false, value: false },
    }),
  };
}

function atMost(violations: Violation[]): Violation[] {
  if (violations.length <= maxViolations) return violations;
  return [
    ...violations.slice(0, maxViolations),
    { path: '', code: 'moreViolations', message: `has more mistakes than these ${maxViolations}; correct them first` },
  ];
}

function flatten({ property, constraints = {}, children = [] }: ValidationError, parent: string): Violation[] {
  const path = pointer(parent, property);
  // What is no number is neither too small nor too large.
  const told = Object.entries(constraints).filter(
    ([code]) => !('isInt' in constraints) || (code !== 'min' && code !== 'max'),
  );
  const own = told.map(([code, message]) => ({
    path,
    code,
    message: message.startsWith(`${property} `) ? message.slice(property.length + 1) : message,
  }));
  return [...own, ...children.flatMap((child) => flatten(child, path))];
}
