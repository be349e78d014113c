import { describe, expect, it } from '@jest/globals';
import { schemaOf } from '#libs/platform';
import { RecipeDto } from '../schema/recipe.dto.js';
import { cutToFit } from '../normalise/cut-to-fit.js';
import { checkSchema } from './schema-check.js';

const schema = schemaOf(RecipeDto);
const users = (count: number, more = {}) => Array.from({ length: count }, (_, at) => ({ username: `u${at}`, ...more }));

describe('cutToFit', () => {
  it('leaves one entry more than is allowed, at every depth', () => {
    const cut = cutToFit(schema, {
      users: users(20_000),
      tests: [{ description: 'd', assertions: users(5_000) }],
      packages: ['ab'],
      nonsense: users(300),
    }) as Record<string, { assertions: unknown[] }[]>;
    expect(cut.users).toHaveLength(101);
    expect(cut.tests?.[0]?.assertions).toHaveLength(201);
    expect(cut.packages).toEqual(['ab']);
    expect(cut.nonsense).toHaveLength(300);
  });

  it('leaves what the schema knows, and as many other fields as are told', () => {
    const unknown = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`k${at}`, at]));
    const cut = cutToFit(schema, { ...unknown, name: 'a', system: { ...unknown, locale: 'C' } }) as Record<
      string,
      object
    >;
    expect([Object.keys(cut).length, Object.keys(cut.system ?? {}).length]).toEqual([203, 202]);
    expect(cut).toMatchObject({ name: 'a', system: { locale: 'C' } });
  });
});

describe('checkSchema', () => {
  const told = (value: Record<string, unknown>) =>
    checkSchema(RecipeDto, { name: 'a', base_image: 'debian-12', ...value }, '/here').violations.map(
      ({ path, code }) => `${path} ${code}`,
    );

  it('tells wrong items by their own path, below the place of the value', () => {
    expect(told({ features: ['ssh', 'X X', 5], users: users(1, { groups: ['a', 'b c'] }) })).toEqual([
      '/here/features/1 catalogueId',
      '/here/features/2 catalogueId',
      '/here/users/0/groups/1 anyAccountName',
    ]);
  });

  it('says of a wrong type only that it is wrong', () => {
    expect(told({ features: 'ssh', users: {}, security: [], system: { kernel_args: 5 } })).toEqual([
      '/here/security isObject',
      '/here/features isArray',
      '/here/users isArray',
      '/here/system/kernel_args isArray',
    ]);
  });

  it('tells repeats and limits of the list itself', () => {
    expect(
      told({ features: ['ssh', 'ssh'], groups: Array.from({ length: 101 }, (_, at) => ({ name: `g${at}` })) }),
    ).toEqual(['/here/features arrayUnique', '/here/groups arrayMaxSize']);
  });
});
