import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { normaliseRecipe } from './normalise-recipe.js';

const recipeOf = (input: unknown) => normaliseRecipe(input).recipe;

describe('normaliseRecipe', () => {
  it.each([
    [{ baseImage: 'x' }, { base_image: 'x' }],
    [{ base: 'x' }, { base_image: 'x' }],
    [{ os: { base: 'x', features: ['ssh'] } }, { base_image: 'x', features: ['ssh'] }],
    [{ os: '{"features":["ssh"]}' }, { features: ['ssh'] }],
    [{ startupScripts: [] }, { startup_scripts: [] }],
    [{ hardeningLevel: 'strict' }, { security: { hardening_level: 'strict' } }],
    [{ security_level: 'strict' }, { security: { hardening_level: 'strict' } }],
    [
      { security: { hardeningLevel: 'strict', auditLogging: true, automaticUpdates: false } },
      { security: { hardening_level: 'strict', audit_logging: true, automatic_updates: false } },
    ],
    [{ security: '{"auditLogging":true}' }, { security: { audit_logging: true } }],
    [{ auditLogging: true, automaticUpdates: true }, { security: { audit_logging: true, automatic_updates: true } }],
    [{ test_config: { custom_tests: [{ description: 'd' }] } }, { tests: [{ description: 'd' }] }],
    [
      { features: '["ssh"]', users: '[{"username":"a","groups":"[\\"sudo\\"]"}]' },
      { features: ['ssh'], users: [{ username: 'a', groups: ['sudo'] }] },
    ],
    ['{"name":"a","features":null}', { name: 'a' }],
    [
      { extra_repos: ['deb [arch=amd64 signed-by=/k] https://r.example/d stable main contrib'] },
      {
        extra_repos: [
          {
            arch: 'amd64',
            signed_by: '/k',
            uri: 'https://r.example/d',
            suite: 'stable',
            components: ['main', 'contrib'],
          },
        ],
      },
    ],
    [{ os: { other: 1 } }, { os: { other: 1 } }],
    [5, 5],
    [[], []],
    ['text', 'text'],
  ])('reads %j', (input, expected) => expect(recipeOf(input)).toEqual(expected));

  it('takes an alias beside its field only where both say the same', () => {
    expect(normaliseRecipe({ base: 'a', base_image: 'a' }).violations).toEqual([]);
    expect(normaliseRecipe({ base: 'a', baseImage: 'b' }).violations).toEqual([
      expect.objectContaining({ path: '/base', code: 'alias_conflict', suggestion: 'base_image' }),
    ]);
    expect(normaliseRecipe({ os: { features: ['ssh'] }, features: ['nginx'] }).violations).toEqual([
      expect.objectContaining({ path: '/os/features' }),
    ]);
  });

  it('leaves its input as it is', () => {
    const input = { base: 'a', security: { hardeningLevel: 'strict' }, os: { features: [] } };
    const before = structuredClone(input);
    recipeOf(input);
    expect(input).toEqual(before);
  });

  it('never throws', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 20_000; level++) deep = { security: deep };
    expect(() => normaliseRecipe(deep)).not.toThrow();
    expect(() => normaliseRecipe(JSON.parse('{"__proto__":{"a":1},"security":{"__proto__":null}}'))).not.toThrow();
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), (input) => void normaliseRecipe(input)));
    fc.assert(
      fc.property(fc.string(), (input) => void normaliseRecipe({ extra_repos: [input], os: input, security: input })),
    );
  });
});
