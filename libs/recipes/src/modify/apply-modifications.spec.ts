import { describe, expect, it } from '@jest/globals';
import { applyModifications } from './apply-modifications.js';
import { mergePatch } from './merge-patch.js';

const template = {
  name: 't',
  packages: ['curl', 'vim=1'],
  features: ['ssh'],
  users: [{ username: 'admin', sudo: true }],
  security: { hardening_level: 'strict', audit_logging: true },
};
const apply = (modifications: Record<string, unknown>) => applyModifications(template, modifications);

describe('mergePatch', () => {
  // The examples of RFC 7396, appendix A.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('%s with %s is %s', (target, patch, result) =>
    expect(mergePatch(JSON.parse(target), JSON.parse(patch))).toEqual(JSON.parse(result)),
  );
});

describe('applyModifications', () => {
  it('merges fields, also by their aliases and as JSON text', () => {
    const { recipe, violations } = apply({
      description: 'mine',
      hardeningLevel: 'minimal',
      security: { audit_logging: null },
      features: '["nginx"]',
    });
    expect(violations).toEqual([]);
    expect(recipe).toMatchObject({
      description: 'mine',
      features: ['nginx'],
      security: { hardening_level: 'minimal' },
    });
    expect(recipe.security).not.toHaveProperty('audit_logging');
  });

  it('changes lists by name', () => {
    const { recipe, violations } = apply({
      add_packages: ['jq', 'curl=8'],
      remove_packages: '["vim"]',
      add_features: ['docker'],
      remove_features: ['ssh'],
      add_users: [{ username: 'admin', sudo: false }, { username: 'ada' }],
      add_tests: [{ description: 'd' }],
    });
    expect(violations).toEqual([]);
    expect(recipe).toMatchObject({
      packages: ['jq', 'curl=8'],
      features: ['docker'],
      users: [{ username: 'admin', sudo: false }, { username: 'ada' }],
      tests: [{ description: 'd' }],
    });
  });

  it('refuses what it does not know, naming the nearest', () => {
    const { violations } = apply({ add_package: ['x'], remove_users: ['nobody'], add_files: 'x', __odd__: 1 });
    expect(violations).toEqual([
      expect.objectContaining({
        path: '/modifications/add_package',
        code: 'unknown_field',
        suggestion: 'add_packages',
      }),
      expect.objectContaining({ path: '/modifications/add_files', code: 'is_array' }),
      expect.objectContaining({ path: '/modifications/__odd__', code: 'unknown_field' }),
      expect.objectContaining({ path: '/modifications/remove_users/0', code: 'nothing_to_remove' }),
    ]);
  });

  it('leaves the template as it is', () => {
    const before = structuredClone(template);
    apply({ add_packages: ['x'], security: { hardening_level: null } });
    expect(template).toEqual(before);
  });
});
