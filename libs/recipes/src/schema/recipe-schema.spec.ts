import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { schemaOf, type JsonSchema } from '#libs/platform';
import { catalogue } from '../testing/recipe.factory.js';
import { outlineOf, recipeSchema } from './recipe-schema.js';
import { RecipeDto } from './recipe.dto.js';

const schema = recipeSchema('https://factory.example');
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const fits = ajv.compile(schema);

describe('the JSON Schema of the recipe', () => {
  it('names itself', () =>
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'https://factory.example/api/recipes/schema',
      title: 'OpenFactory recipe',
      type: 'object',
      required: ['name', 'base_image'],
      additionalProperties: false,
    }));

  it.each(catalogue.templates.map(({ id, recipe }) => [id, recipe] as const))('fits the template %s', (_id, recipe) => {
    fits(recipe);
    expect(fits.errors ?? []).toEqual([]);
  });

  it.each([
    ['a wrong name', { name: 'A' }],
    ['an unknown field', { nonsense: 1 }],
    ['a wrong package', { packages: ['A B'] }],
    ['an option of another service', { services: [{ name: 'ssh', config: { worker_processes: 'auto' } }] }],
    ['a missing parameter', { tests: [{ description: 'd', assertions: [{ type: 'port_listening', params: {} }] }] }],
    ['a wrong format', { output: { formats: ['vmdk'] } }],
  ])('refuses %s', (_what, more) => expect(fits({ name: 'a', base_image: 'debian-12', ...more })).toBe(false));

  it('describes every field', () => {
    const undescribed = (node: JsonSchema, path: string): string[] =>
      Object.entries(node.properties ?? {}).flatMap(([name, field]) => [
        ...(field.description ? [] : [`${path}/${name}`]),
        ...undescribed(field, `${path}/${name}`),
        ...undescribed(field.items ?? {}, `${path}/${name}/0`),
      ]);
    expect(undescribed(schema, '')).toEqual([]);
  });
});

describe('the outline', () => {
  const outline = outlineOf(schemaOf(RecipeDto));

  it('has every field, one level deep, and is small', () => {
    expect(Object.keys(outline.properties ?? {})).toEqual(Object.keys(schema.properties ?? {}));
    expect(outline.properties?.users).toMatchObject({
      type: 'array',
      description: expect.stringContaining('username, '),
    });
    expect(JSON.stringify(outline)).not.toContain('$ref');
    expect(JSON.stringify(outline).length).toBeLessThan(5_000);
  });
});
