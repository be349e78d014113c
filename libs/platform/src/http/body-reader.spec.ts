import { PassThrough } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BodyBudget } from './body-budget.js';
import { BodyReader } from './body-reader.js';
import { HttpTimeouts } from './http-timeouts.js';

const timeouts = new HttpTimeouts();

/** A request whose body the test sends. */
function sending(headers: Record<string, string> = {}): { request: IncomingMessage; body: PassThrough } {
  const body = new PassThrough();
  return { request: Object.assign(body, { headers }) as unknown as IncomingMessage, body };
}
const address = '192.0.2.1';
const reasonOf = async (reading: Promise<unknown>) =>
  await reading.then(
    () => 'read',
    (error: { reason: string }) => error.reason,
  );

describe('BodyReader', () => {
  it('reads a body, in whatever pieces it comes', async () => {
    const { request, body } = sending();
    const reading = new BodyReader(timeouts).readJson(request, address, 100);
    for (const byte of Buffer.from('{"a":"ü"}')) body.write(Buffer.from([byte]));
    body.end();
    expect(await reading).toEqual({ a: 'ü' });
  });

  it('leaves a byte-order mark out, and takes no bytes that are not UTF-8, for what they meant would be lost', async () => {
    const sent = (bytes: Buffer) => {
      const { request, body } = sending();
      body.end(bytes);
      return new BodyReader(timeouts).readJson(request, address, 100);
    };
    expect(await sent(Buffer.from('\uFEFF{"a":"ü"}'))).toEqual({ a: 'ü' });
    expect(await reasonOf(sent(Buffer.from('{"a":"ü"}', 'latin1')))).toBe('malformed_json');
    expect(await reasonOf(sent(Buffer.from('\uFEFF{"a":1}', 'utf16le')))).toBe('malformed_json');
    expect(await reasonOf(sent(Buffer.from('{"a":"cut \xc3', 'latin1')))).toBe('malformed_json');
  });

  it('takes a body that is there at once, and leaves its request read to the end', async () => {
    const { request, body } = sending({ 'content-length': '10' });
    const ended = new Promise((resolve) => body.once('end', resolve));
    body.end('{"a":"ü"}');
    const reading = new BodyReader(timeouts).readJson(request, address, 100);
    // Nobody waits for more of it, and no timer watches it.
    expect(body.listenerCount('data')).toBe(0);
    expect(await reading).toEqual({ a: 'ü' });
    await ended;
  });

  it('does not take for whole what is there of a body that is longer', async () => {
    const { request, body } = sending({ 'content-length': '9' });
    body.write('{"a":');
    const reading = new BodyReader(timeouts).readJson(request, address, 100);
    body.end('123}');
    expect(await reading).toEqual({ a: 123 });
  });

  it('looks at nothing of what says that it is too much, and stops at what turns out to be', async () => {
    const { request, body } = sending({ 'content-length': '101' });
    expect(await reasonOf(new BodyReader(timeouts).read(request, address, 100))).toBe('body_too_large');
    expect(body.listenerCount('data')).toBe(0);
    const endless = sending();
    const reading = reasonOf(new BodyReader(timeouts).read(endless.request, address, 100));
    endless.body.write(Buffer.alloc(101));
    expect(await reading).toBe('body_too_large');
  });

  it('counts a half-sent body by what it promised, until its reading has ended', async () => {
    const reader = new BodyReader(timeouts);
    const most = 4 * 1024 * 1024;
    const held = Array.from({ length: 8 }, () => sending({ 'content-length': String(most) }));
    const readings = held.map(({ request }) => reasonOf(reader.read(request, address, most)));
    expect(await reasonOf(reader.read(sending({ 'content-length': '1' }).request, address, most))).toBe(
      'too_many_bodies',
    );
    // Another address has its own.
    const other = sending({ 'content-length': '2' });
    other.body.end('{}');
    expect(await reasonOf(reader.read(other.request, '192.0.2.2', most))).toBe('read');
    held[0]!.body.end('x');
    expect(await readings[0]).toBe('read');
    const next = sending({ 'content-length': '1' });
    next.body.end('1');
    expect(await reasonOf(reader.read(next.request, address, most))).toBe('read');
    held.forEach(({ request }) => request.emit('aborted'));
    expect(new Set(await Promise.all(readings.slice(1)))).toEqual(new Set(['body_incomplete']));
  });

  describe('with a clock of its own', () => {
    beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] }));
    afterEach(() => void jest.useRealTimers());
    const turn = () => new Promise((resolve) => setImmediate(resolve));

    it('lets go of a body that does not come, and waits for one that comes slowly', async () => {
      const held = sending();
      const slow = sending();
      const reader = new BodyReader(timeouts);
      const [heldReading, slowReading] = [
        reasonOf(reader.read(held.request, address, 1_000_000)),
        reasonOf(reader.read(slow.request, address, 1_000_000)),
      ];
      for (let span = 0; span < 30; span++) {
        slow.body.write(Buffer.alloc(timeouts.leastBodyBytes));
        if (span === 0) held.body.write(Buffer.alloc(timeouts.leastBodyBytes - 1));
        await turn();
        jest.advanceTimersByTime(timeouts.bodySpanMs);
      }
      expect(await heldReading).toBe('body_too_slow');
      slow.body.end();
      expect(await slowReading).toBe('read');
    });
  });
});

describe('BodyBudget', () => {
  it('has a bound for the process, for the bytes and for the bodies of an address', () => {
    const budget = new BodyBudget({ processBytes: 100, addressBytes: 60, addressBodies: 2 });
    const giveBack = budget.take('a', 50);
    expect(() => budget.take('a', 11)).toThrow(expect.objectContaining({ reason: 'too_many_bodies', kind: 'quota' }));
    budget.take('b', 50);
    expect(() => budget.take('c', 1)).toThrow(
      expect.objectContaining({ reason: 'too_many_bodies', kind: 'unavailable' }),
    );
    giveBack();
    giveBack();
    budget.take('a', 0);
    budget.take('a', 0);
    expect(() => budget.take('a', 0)).toThrow(expect.objectContaining({ kind: 'quota' }));
    expect(() => budget.take('c', 51)).toThrow(expect.objectContaining({ kind: 'unavailable' }));
  });
});
