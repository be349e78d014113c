import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RecipeDto } from '../schema/recipe.dto.js';
import { schemaOf, type JsonSchema } from '#libs/platform';
import { validatorWith, validRecipe } from '../testing/recipe.factory.js';
import { countWork } from '../../../../test/support/count-work.js';

const validator = validatorWith();
const check = async (more: Record<string, unknown> = {}) => await validator.validate(validRecipe(more));

describe('hostile input', () => {
  const fields = Object.keys(schemaOf(RecipeDto).properties ?? {});

  it.each(fields)('null as %s is taken as absent', async (field) => {
    const { errors } = await check({ [field]: null });
    const required = schemaOf(RecipeDto).required?.includes(field);
    expect(errors.map(({ path }) => path)).toEqual(required ? [`/${field}`] : []);
  });

  it.each(nestedFields(schemaOf(RecipeDto)))(
    'null, a number, a text and a list as %s never break it',
    async (_path, place) => {
      for (const value of [null, 5, 'text', [null], [[]], {}, [{}]]) {
        const { errors } = await check(place(value));
        for (const error of errors)
          expect(error).toMatchObject({
            path: expect.any(String),
            code: expect.not.stringMatching(/^malformed$/),
            message: expect.any(String),
          });
      }
    },
  );

  it('bounds depth, size and poisonous names', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`) as unknown;
    expect(await validator.validate(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`)).toMatchObject({
      valid: false,
      errors: [{ code: 'too_deep' }],
    });
    expect(await check({ features: ['nope'], networking: deep })).toMatchObject({
      valid: false,
      errors: [{ code: 'too_deep' }],
      resolved: null,
    });
    expect(
      (await validator.validate(JSON.parse('{"name":"a","base_image":"debian-12","__proto__":{"valid":true}}'))).errors,
    ).toContainEqual(expect.objectContaining({ path: '/__proto__' }));
    expect(
      (await validator.validate(validRecipe({ users: Array.from({ length: 20_000 }, () => ({ username: 'X' })) })))
        .errors.length,
    ).toBeLessThan(600);
    for (const odd of [undefined, null, 5, '', 'text', [], '[]', true])
      expect(await validator.validate(odd)).toMatchObject({ valid: false, resolved: null });
  });

  const many = (count: number, entry: (at: number) => [string, unknown]) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => entry(at)));
  it.each<[string, () => Record<string, unknown>]>([
    ['19,000 unknown fields', () => many(19_000, (at) => [`k${at}`, at])],
    ['19,000 unknown fields in a part', () => ({ networking: many(19_000, (at) => [`k${at}`, at]) })],
    [
      '2,000 far-off packages',
      () => ({ packages: Array.from({ length: 2_000 }, (_, at) => `far-off-name-of-a-package-${at}`) }),
    ],
    [
      'groups that nobody knows, for every user',
      () => ({
        users: Array.from({ length: 100 }, (_, user) => ({
          username: `u${user}`,
          groups: Array.from({ length: 50 }, (__, at) => `group-${user}-${at}`),
        })),
      }),
    ],
    [
      'unknown parameters of assertions',
      () => ({
        tests: Array.from({ length: 100 }, () => ({
          description: 'd',
          assertions: Array.from({ length: 20 }, () => ({ type: 'boot', params: many(8, (at) => [`p${at}`, at]) })),
        })),
      }),
    ],
    [
      'unknown options of services',
      () => ({
        services: Array.from({ length: 50 }, () => ({ name: 'ssh', config: many(380, (at) => [`o${at}`, at]) })),
      }),
    ],
    [
      'removals of what is not there',
      () => ({ package_overrides: Array.from({ length: 6_000 }, (_, at) => ({ name: `x${at}`, action: 'remove' })) }),
    ],
  ])('costs a few walks: %s', async (_what, make) => {
    const recipe = validRecipe(make());
    const work = await countWork(async () =>
      expect((await validator.validate(recipe)).errors.length).toBeLessThanOrEqual(500),
    );
    // At half a nanosecond to ten an entry; the square of what is sent would be a thousand times more.
    expect(work).toBeLessThan(4_000_000);
  });

  it('never repeats a password', async () => {
    const { errors, warnings, resolved } = await check({
      users: [{ username: 'ada', password: 'hunter2\nhunter2', x: 'hunter2' }],
    });
    expect(JSON.stringify([errors, warnings, resolved])).not.toContain('hunter2');
  });

  it('never makes validate throw', async () => {
    const key = fc.oneof(
      fc.constantFrom(
        ...fields,
        'os',
        'base',
        'test_config',
        'config',
        'name',
        'username',
        'path',
        'assertions',
        'type',
        'params',
      ),
      fc.string(),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.jsonValue(),
        fc.constantFrom('ssh', 'debian-12', '["ssh"]', '{"a":null}'),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 6 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(value, fc.dictionary(fc.constantFrom(...fields), value)), async (input) => {
        const { valid, errors } = await validator.validate(input);
        expect(valid).toBe(errors.length === 0);
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });
});

/** Every field at every depth of the recipe, with a function that puts a value there. */
function nestedFields(
  schema: JsonSchema,
  path = '',
  wrap: (value: unknown) => Record<string, unknown> = (value) => value as Record<string, unknown>,
): [string, (value: unknown) => Record<string, unknown>][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const place = (value: unknown) => wrap({ [name]: value });
    const inner = field.items?.properties
      ? nestedFields(field.items, `${path}/${name}/0`, (value) => place([value]))
      : field.properties
        ? nestedFields(field, `${path}/${name}`, place)
        : [];
    return [[`${path}/${name}`, place] as [string, (value: unknown) => Record<string, unknown>], ...inner];
  });
}
