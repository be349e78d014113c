import { describe, expect, it } from '@jest/globals';
import { auditRow } from './audit-entry.js';
import { objectIdIn, objectIdOfRoute } from './object-id.js';

const at = new Date('2026-11-21T12:00:00Z');
const nul = String.fromCharCode(0);

describe('an entry of the audit log', () => {
  it('names who it was, with the key where it was one', () => {
    const id = '6f1c2a34-0000-4000-8000-0123456789ab';
    expect(
      auditRow(
        {
          caller: { kind: 'key', ownerId: 'user:1', principalId: `key:${id}` },
          address: '192.0.2.1',
          edge: 'mcp',
          action: 'create_build',
          object: 'x',
          requestId: 'r',
        },
        at,
      ),
    ).toEqual({
      at: '2026-11-21T12:00:00.000Z',
      caller_kind: 'key',
      owner_id: 'user:1',
      principal_id: `key:${id}`,
      key_id: id,
      address: '192.0.2.1',
      edge: 'mcp',
      action: 'create_build',
      object: 'x',
      result: 'ok',
      request_id: 'r',
    });
    expect(auditRow({ action: 'x', caller: { kind: 'key', ownerId: 'o', principalId: 'key:odd' } }, at)).toMatchObject({
      principal_id: 'key:odd',
      key_id: null,
      edge: null,
    });
  });

  it('is such that the database takes it, whatever a stranger wrote', () => {
    const { object, result } = auditRow(
      { action: 'x', object: `a${nul}b\n\ud800${'ü'.repeat(500)}`, result: `${'x'.repeat(199)}\u{1f600}` },
      at,
    );
    expect(object).toMatch(/^a b \ufffdü+…$/);
    expect(object!.length).toBeLessThan(210);
    expect(result).toMatch(/x\ufffd…$/);
  });
});

describe('the object', () => {
  it('is what was acted on, not what it was made from', () => {
    expect(objectIdIn({ build_id: 'b', vm_name: 'v' })).toBe('v');
    expect(objectIdIn({ recipe_id: 'r', build_id: 'b', request_id: 'q' })).toBe('b');
    expect(objectIdIn({ run_id: 'r', name: 'n' })).toBe('r');
    expect([
      objectIdIn({ id: 7 }),
      objectIdIn({ request_id: 'q' }),
      objectIdIn('x'),
      objectIdIn(null),
      objectIdIn([]),
    ]).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it('is never a parameter of a route that may be a secret', () => {
    expect(objectIdOfRoute({ name: 'vm', snapshot: 's' })).toBe('vm/s');
    expect(objectIdOfRoute({ id: 'x', token: 'secret', key: 'secret', code: 'secret' })).toBe('x');
    expect(objectIdOfRoute({ token: 'secret' })).toBeUndefined();
  });
});
