import { describe, expect, it } from '@jest/globals';
import { anonymousCaller, type Caller } from '../caller/caller.js';
import { checkRouteAccess, type RouteAccess } from './route-access.js';

const anonymous = anonymousCaller('192.0.2.1');
const callers = {
  anonymous,
  key: { ...anonymous, kind: 'key', revocationSubjects: ['key:1', 'user:1'] },
  'key for builds': { ...anonymous, kind: 'key', toolsets: ['builds'] },
  'key that may look': { ...anonymous, kind: 'key', readOnly: true },
  // No such grant is made; if one ever were, it would not do.
  'key of an administrator': { ...anonymous, kind: 'key', isAdmin: true },
  user: { ...anonymous, kind: 'user' },
  administrator: { ...anonymous, kind: 'user', isAdmin: true },
} satisfies Record<string, Caller>;
type Who = keyof typeof callers;

const free: RouteAccess = { toolset: undefined, readOnly: false, people: undefined };
const refusal = (who: Who, access: Partial<RouteAccess>): string => {
  try {
    checkRouteAccess(callers[who], { ...free, ...access });
    return 'may';
  } catch (error) {
    return (error as { reason: string }).reason;
  }
};
const everybody = (access: Partial<RouteAccess>) =>
  Object.fromEntries(Object.keys(callers).map((who) => [who, refusal(who as Who, access)]));

describe('checkRouteAccess', () => {
  it('holds keys to their toolsets', () => {
    expect(everybody({ toolset: 'vms', readOnly: true })).toEqual({
      anonymous: 'may',
      key: 'may',
      'key for builds': 'toolset_not_allowed',
      'key that may look': 'may',
      'key of an administrator': 'may',
      user: 'may',
      administrator: 'may',
    });
    expect(refusal('key for builds', { toolset: 'builds' })).toBe('may');
  });

  it('lets a key with few toolsets use what belongs to none', () => expect(refusal('key for builds', {})).toBe('may'));

  it('holds keys to looking', () => {
    expect(everybody({ toolset: 'builds' })).toEqual({
      anonymous: 'may',
      key: 'may',
      'key for builds': 'may',
      'key that may look': 'read_only',
      'key of an administrator': 'may',
      user: 'may',
      administrator: 'may',
    });
    expect(refusal('key that may look', { toolset: 'builds', readOnly: true })).toBe('may');
  });

  it('keeps routes for people from keys, and asks who sent nothing to sign in', () => {
    expect(everybody({ people: 'users' })).toEqual({
      anonymous: 'credentials_required',
      key: 'sign_in_required',
      'key for builds': 'sign_in_required',
      'key that may look': 'sign_in_required',
      'key of an administrator': 'sign_in_required',
      user: 'may',
      administrator: 'may',
    });
  });

  it('keeps routes for administrators from everybody else', () => {
    expect(everybody({ people: 'admins', readOnly: true })).toMatchObject({
      anonymous: 'credentials_required',
      key: 'sign_in_required',
      'key of an administrator': 'sign_in_required',
      user: 'admins_only',
      administrator: 'may',
    });
  });

  it('says what a key may use', () => {
    expect(() => checkRouteAccess(callers['key for builds'], { ...free, toolset: 'vms' })).toThrow(
      expect.objectContaining({ kind: 'forbidden', hint: 'It may use: builds.' }),
    );
  });
});
