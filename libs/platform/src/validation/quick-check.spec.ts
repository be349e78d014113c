import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { Doc } from './json-schema.js';
import { quickInstance } from './quick-check.js';

class SpecInput {
  @Doc('A name.') @IsString() @MinLength(1) @MaxLength(4) @Matches(/^[a-z]*$/) name: string;
  @Doc('How many.', { default: 2 }) @IsInt() @Min(1) @Max(9) count = 2;
  @Doc('How.') @IsOptional() @IsIn(['fast', 'slow']) mode?: string;
  @Doc('Words.') @IsOptional() @IsArray() @ArrayMaxSize(2) @IsString({ each: true }) labels?: string[];
  @Doc('Anything.') @IsDefined() options: unknown;
  @Doc('Whether.') @IsOptional() @IsBoolean() dry?: boolean;
  @Doc('More.') @IsOptional() @IsObject() more?: object;
}
class SpecInside {
  @Doc('A name.') @IsString() name: string;
}
class SpecNest {
  @Doc('One.') @ValidateNested() @Type(() => SpecInside) one: SpecInside;
}

const few = fc.oneof(
  fc.constantFrom<unknown>('', 'a', 'abcd', 'abcde', 'A', 'fast', 0, 1, 9, 10, 1.5, true, null, undefined, {}),
  fc.array(fc.constantFrom<unknown>('x', 1), { maxLength: 3 }),
);
const inputs = fc.record(
  { name: few, count: few, mode: few, labels: few, options: few, dry: few, more: few },
  { requiredKeys: [] },
);

describe('quickInstance', () => {
  it('takes exactly what class-validator takes', () => {
    const taken = { yes: 0, no: 0 };
    const sound = fc.record(
      {
        name: fc.constantFrom('a', 'abcd', 'A'),
        count: fc.constantFrom(1, 9, 10),
        options: fc.constant(1),
        mode: fc.constantFrom('fast', 'slow', 'so-so'),
        labels: fc.array(fc.constantFrom<unknown>('x', 'y', 1), { maxLength: 3 }),
      },
      { requiredKeys: ['name', 'options'] },
    );
    fc.assert(
      fc.property(fc.oneof(inputs, sound), (input: Record<string, unknown>) => {
        const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
        const isValid =
          validateSync(Object.assign(new SpecInput(), given), { whitelist: true, forbidNonWhitelisted: true })
            .length === 0;
        const made = quickInstance(SpecInput, input);
        taken[made ? 'yes' : 'no']++;
        expect(made).toEqual(isValid ? Object.assign(new SpecInput(), given) : undefined);
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(taken.yes, taken.no)).toBeGreaterThan(100);
  });

  it('gives an instance of the class, with its defaults', () => {
    const made = quickInstance(SpecInput, { name: 'a', options: 1 });
    expect(made).toBeInstanceOf(SpecInput);
    expect(made).toEqual({ name: 'a', options: 1, count: 2 });
  });

  it('leaves to the libraries what has classes inside, and a field that the class does not have', () => {
    expect(quickInstance(SpecNest, { one: { name: 'a' } })).toBeUndefined();
    expect(quickInstance(SpecInside, { name: 'a', more: 1 })).toBeUndefined();
  });
});
