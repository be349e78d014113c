import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import type { FlowingAnswers } from '../http/flowing-answers.js';
import { AuditController } from './audit.controller.js';
import type { AuditLog } from './audit-log.js';
import type { AuditRepository } from './audit.repository.js';

const request = {} as Request;
const admitted: unknown[] = [];
const answers = {
  admit: (_request: unknown, response: unknown) => admitted.push(response),
} as unknown as FlowingAnswers;

/** A log without end, which knows how much of it was read. */
function endlessLog() {
  const read = { entries: 0, isLeft: false };
  async function* all() {
    try {
      for (;;) {
        await turn();
        yield {
          id: String(++read.entries),
          at: '2026-11-21T12:00:00.000Z',
          action: 'create_build',
          object: 'x'.repeat(150),
          result: 'ok',
        };
      }
    } finally {
      read.isLeft = true;
    }
  }
  return {
    read,
    controller: new AuditController(
      { all } as unknown as AuditRepository,
      { flush: () => Promise.resolve() } as unknown as AuditLog,
      answers,
    ),
  };
}

/** Until nothing more is read for many turns. */
async function settled(read: { entries: number }): Promise<number> {
  for (let before = -1; before !== read.entries;) {
    before = read.entries;
    for (let turns = 0; turns < 200; turns++) await turn();
  }
  return read.entries;
}

describe.each(['csv', 'jsonLines'] as const)('an export as %s', (format) => {
  it('is read no faster than its client reads, and no further than they stay', async () => {
    const { read, controller } = endlessLog();
    const response = Object.assign(new PassThrough(), { writeHead: () => undefined });
    const exported = controller[format]({}, request, response as unknown as Response);
    // An address has so many long answers at once, and this is one.
    expect(admitted.at(-1)).toBe(response);
    const unread = await settled(read);
    expect(unread).toBeGreaterThan(10);
    response.read(100_000);
    expect(await settled(read)).toBeGreaterThan(unread);
    response.destroy();
    await exported;
    expect(read.isLeft).toBe(true);
  });

  it('is cut off where the log cannot be read on, so that half of it looks like no whole one', async () => {
    // eslint-disable-next-line @typescript-eslint/require-await -- as a database that goes away does
    async function* all() {
      yield { id: '1' };
      throw new Error('The database is gone.');
    }
    const controller = new AuditController(
      { all } as unknown as AuditRepository,
      { flush: () => Promise.resolve() } as unknown as AuditLog,
      answers,
    );
    const response = Object.assign(new PassThrough(), { writeHead: () => undefined });
    await controller[format]({}, request, response as unknown as Response);
    expect([response.destroyed, response.readableEnded]).toEqual([true, false]);
  });
});
