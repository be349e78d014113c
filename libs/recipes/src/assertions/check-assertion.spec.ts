import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { assertionTypeNames, assertionTypes, type AssertionType, type AssertionTypeName } from './assertion-types.js';
import { assertionSchema, checkAssertion, coerceParams } from './check-assertion.js';

const codes = (type: AssertionTypeName, params: Record<string, unknown>) =>
  checkAssertion(type, params, '/params').map(({ path, code }) => `${path} ${code}`);

describe('checkAssertion', () => {
  it.each(assertionTypeNames)('%s wants what it requires and refuses what it does not know', (name) => {
    const type: AssertionType = assertionTypes[name];
    const required = Object.entries(type.params)
      .filter(([, spec]) => spec.required)
      .map(([key]) => `/params/${key} missing_parameter`);
    expect(codes(name, {})).toEqual([...required, ...(type.anyOf ? ['/params missing_parameter'] : [])]);
    expect(codes(name, { nonsense: 1 })).toContain('/params/nonsense unknown_parameter');
    expect(new Ajv2020({ strict: false }).compile(assertionSchema(name))({ nonsense: 1 })).toBe(false);
  });

  it('takes numbers as text, and text as numbers where a version or value looks like one', () => {
    expect(codes('port_listening', { port: '2575', timeout_seconds: '60' })).toEqual([]);
    expect(coerceParams('port_listening', { port: '2575', protocol: 'tcp' })).toEqual({ port: 2575, protocol: 'tcp' });
    expect(codes('sysctl_value', { key: 'a', value: 1 })).toEqual([]);
    expect(coerceParams('sysctl_value', { key: 'a', value: 1 })).toEqual({ key: 'a', value: '1' });
  });

  it.each([
    ['port_listening', { port: 0 }],
    ['port_listening', { port: '22x' }],
    ['port_listening', { port: 22, protocol: 'icmp' }],
    ['boot', { target: 'rescue.target' }],
    ['http_responds', { url: 'x', headers: [] }],
    ['no_failed_units', { ignore: 'x' }],
    ['user_password', { username: 'a', locked: 'yes' }],
    ['file_contains', { path: '/a', pattern: '(' }],
    ['cis_benchmark', { level: 3 }],
    ['command_succeeds', { command: '' }],
  ] as const)('refuses %s with %j', (type, params) => expect(codes(type, params)).toHaveLength(1));

  it('names the nearest parameter', () => {
    expect(checkAssertion('port_listening', { prot: 1, port: 1 }, '')).toEqual([
      expect.objectContaining({ suggestion: 'port' }),
    ]);
  });
});
