import { describe, expect, it } from '@jest/globals';
import { toAppError } from './problem.js';

const failed = (more: object, message = 'failed') => Object.assign(new Error(message), more);

describe('toAppError', () => {
  it.each([
    ['PostgreSQL', { code: '53100' }],
    ['the system', { code: 'ENOSPC', syscall: 'write' }],
    ['a quota', { code: 'EDQUOT', syscall: 'write' }],
  ])('says that the disk is full where %s does', (_who, error) =>
    expect(toAppError(failed(error))).toMatchObject({
      kind: 'unavailable',
      reason: 'disk_full',
      message: expect.stringContaining('full'),
      hint: expect.any(String),
    }),
  );

  it.each([
    ['has no room for a connection', { code: '53300' }],
    ['starts up', { code: '57P03' }],
    ['is not there', { code: 'ECONNREFUSED', syscall: 'connect' }],
    ['has no socket', { code: 'ENOENT', syscall: 'connect' }],
    ['cut the line', { code: 'ECONNRESET', syscall: 'read' }],
    ['chose this one of two that wait for each other', { code: '40P01' }],
  ])('asks to try again where the database %s', (_what, error) =>
    expect(toAppError(failed(error))).toMatchObject({ kind: 'unavailable', reason: 'database_unavailable' }),
  );

  it('keeps everything else to itself', () => {
    for (const error of [
      failed({ code: '23505' }),
      failed({ code: 'ENOENT', syscall: 'open' }, '/var/lib/secret'),
      'text',
      undefined,
    ]) {
      const { kind, message } = toAppError(error);
      expect([kind, message]).toEqual(['internal', 'Something went wrong on our side.']);
    }
  });
});
