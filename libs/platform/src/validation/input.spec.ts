import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { AppError } from '../errors/app-error.js';
import { checkInput, parseInput } from './input.js';
import { Doc, schemaOf } from './json-schema.js';
import { nearestName } from './nearest-name.js';
import { pointer } from './structure.js';

class SpecStep {
  @Doc('What to run.') @IsString() @MaxLength(10) run: string;
}
class SpecPlan {
  @Doc('The name.') @Matches(/^[a-z]+$/, { message: 'must be lower-case letters' }) name: string;
  @Doc('The steps.')
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(3)
  @ValidateNested({ each: true })
  @Type(() => SpecStep)
  steps?: SpecStep[];
  @Doc('How many.', { default: 2 }) @IsInt() count = 2;
  @Doc('Anything.') @IsOptional() @IsObject() options?: object;
}
class SpecNothing {}
class SpecQuery {
  @Doc('How many at most.') @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

const paths = (value: unknown) => checkInput(SpecPlan, value).violations.map(({ path, code }) => `${path} ${code}`);

describe('checkInput', () => {
  it('gives an instance with defaults', () => {
    const plan = parseInput(SpecPlan, { name: 'abc', steps: [{ run: 'x' }] });
    expect(plan).toBeInstanceOf(SpecPlan);
    expect(plan).toEqual({ name: 'abc', steps: [{ run: 'x' }], count: 2 });
  });

  it('reports every mistake at once, nested ones with their path', () => {
    expect(paths({ name: 'A', steps: [{ run: 'x' }, { run: 5, ran: 1 }], count: 'many' }).sort()).toEqual([
      '/count isInt',
      '/name matches',
      '/steps/1/ran whitelistValidation',
      '/steps/1/run isString',
      '/steps/1/run maxLength',
    ]);
  });

  it('takes null for an optional field as left out, and for a required one as wrong', () => {
    expect(parseInput(SpecPlan, { name: 'a', steps: null, count: null, options: null })).toEqual({
      name: 'a',
      count: 2,
    });
    expect(paths({ name: null })).toEqual(['/name matches']);
  });

  it.each<[string, unknown, string]>([
    ['NUL', { name: 'a', options: { text: 'a\0b' } }, '/options/text unstorable'],
    ['half of a surrogate pair', { name: 'a', options: { text: ['\ud800'] } }, '/options/text/0 unstorable'],
    ['NUL in a name', { name: 'a', options: { 'a\0': 1 } }, '/options unstorable'],
  ])('refuses what the database cannot keep: %s', (_what, value, violation) =>
    expect(paths(value)).toEqual([violation]),
  );

  it('says what is wanted where a number came twice, or as something else', () => {
    for (const limit of [['1', '2'], [], { a: 1 }, 'many']) {
      expect(checkInput(SpecQuery, { limit }).violations).toEqual([
        { path: '/limit', code: 'isInt', message: 'must be an integer number' },
      ]);
    }
    expect(parseInput(SpecQuery, { limit: '7' })).toEqual({ limit: 7 });
  });

  it('takes characters beyond the first plane', () =>
    expect(paths({ name: 'a', options: { text: '😀' } })).toEqual([]));

  it('names the nearest known field', () => {
    expect(checkInput(SpecPlan, { name: 'a', stepps: [] }).violations).toEqual([
      { path: '/stepps', code: 'whitelistValidation', message: 'unknown field "stepps"', suggestion: 'steps' },
    ]);
  });

  it('reads JSON strings where objects and arrays are wanted, and only there', () => {
    expect(parseInput(SpecPlan, { name: 'a', steps: '[{"run":"x"}]', options: '{"a":1}' })).toMatchObject({
      steps: [{ run: 'x' }],
      options: { a: 1 },
    });
    expect(paths({ name: 'a', steps: '{"run":"x"}' })).toContain('/steps isArray');
    expect(paths({ name: '["a"]' })).toEqual(['/name matches']);
    expect(paths({ name: 'a', steps: '[[[' })).toContain('/steps isArray');
  });

  it.each([
    ['null', null],
    ['a string', 'x'],
    ['an array', []],
    ['null in an array of objects', { name: 'a', steps: [null] }],
    ['arrays for objects', { name: 'a', steps: [[]] }],
    ['a poisoned key', JSON.parse('{"name":"a","__proto__":{"count":1}}')],
    ['a poisoned key deep down', JSON.parse('{"name":"a","options":{"x":{"constructor":1}}}')],
  ])('refuses %s', (_, value) => {
    const { instance, violations } = checkInput(SpecPlan, value);
    expect(instance).toBeUndefined();
    expect(violations.length).toBeGreaterThan(0);
  });

  it('bounds depth and size before anything walks the value', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 20_000; level++) deep = [deep];
    expect(paths({ name: 'a', options: deep })).toEqual([' tooDeep']);
    expect(paths({ name: 'a', steps: Array.from({ length: 150_000 }, () => 1) })).toEqual([' tooLarge']);
  });

  it('takes no fields where a class has none', () => {
    expect(parseInput(SpecNothing, {})).toBeInstanceOf(SpecNothing);
    expect(paths({ name: 'a', steps: [{ run: 'x' }, []] })).toEqual(['/steps/1 isObject']);
    expect(paths({ name: 'A', steps: [[]] }).sort()).toEqual(['/name matches', '/steps/0 isObject']);
    expect(() => parseInput(SpecNothing, { x: 1 })).toThrow(AppError);
  });

  it('never throws, whatever JSON comes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('name', 'steps', 'count', 'options'), (value, key) => {
        checkInput(SpecPlan, value);
        checkInput(SpecPlan, { name: 'a', [key]: value });
      }),
      { numRuns: 500 },
    );
  });
});

describe('schemaOf', () => {
  it('is closed, self-contained and documented', () => {
    const schema = schemaOf(SpecPlan);
    expect(JSON.stringify(schema)).not.toContain('$ref');
    expect(schema).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['name'],
      properties: {
        count: { type: 'integer', default: 2, description: 'How many.' },
        steps: {
          type: 'array',
          maxItems: 3,
          items: {
            type: 'object',
            additionalProperties: false,
            properties: { run: { type: 'string', maxLength: 10 } },
          },
        },
      },
    });
    expect(schemaOf(SpecNothing)).toMatchObject({ type: 'object', properties: {}, additionalProperties: false });
  });
});

describe('names', () => {
  it('finds near ones only', () => {
    expect(nearestName('dockr', ['docker', 'ssh'])).toBe('docker');
    expect(nearestName('zzzzzzzz', ['docker', 'ssh'])).toBeUndefined();
    expect(nearestName('x'.repeat(100), ['docker'])).toBeUndefined();
  });

  it('writes JSON pointers', () => expect(pointer('/a', 'b/c~d\n')).toBe('/a/b~1c~0d '));
});
