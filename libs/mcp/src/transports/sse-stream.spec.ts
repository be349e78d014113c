import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { Metrics } from '#libs/platform';
import { maxUnreadBytes, SseStream } from './sse-stream.js';
import { StreamKeeper } from './stream-keeper.js';

/** A response whose reader takes everything, or nothing. */
class FakeResponse extends EventEmitter {
  written = '';
  writableLength = 0;
  destroyed = false;
  writes = 0;
  /** As Node has decided by the time that the headers are sent. */
  chunkedEncoding = false;
  ended = false;
  reads = true;
  writeHead = () => this;
  flushHeaders = () => undefined;
  write(text: string | Buffer): boolean {
    this.writes++;
    this.written += String(text);
    if (!this.reads) this.writableLength += text.length;
    return this.reads;
  }
  end(text = ''): void {
    this.written += text;
    this.ended = true;
    this.emit('close');
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}
const open = () => {
  const response = new FakeResponse();
  return { response, stream: new SseStream(response as unknown as ServerResponse) };
};

describe('SseStream', () => {
  it('frames events', () => {
    const { response, stream } = open();
    stream.send({ id: '1-2', event: 'message', retry: 5, data: '{}' });
    expect(response.written).toBe('id: 1-2\nevent: message\nretry: 5\ndata: {}\n\n');
  });

  it('writes an event as one chunk in one piece, and prepared bytes as they are', () => {
    const response = new FakeResponse();
    response.chunkedEncoding = true;
    const stream = new SseStream(response as unknown as ServerResponse);
    stream.send({ data: 'ü' });
    expect([response.written, response.writes]).toEqual(['a\r\ndata: ü\n\n\r\n', 1]);
    const prepared = Buffer.from('"ü"');
    const written: unknown[] = [];
    response.write = (piece) => written.push(piece) > 0;
    stream.send({ data: ['{"result":', prepared, '}'] });
    expect(written).toEqual(['17\r\ndata: {"result":', prepared, '}\n\n\r\n']);
    expect(written[1]).toBe(prepared);
    stream.end();
    expect(response.written.endsWith('0\r\n\r\n')).toBe(true);
  });

  it('gives up a reader that lets too much pile up', () => {
    const { response, stream } = open();
    response.reads = false;
    expect(stream.send({ data: 'x'.repeat(1000) })).toBe(true);
    expect(stream.send({ data: 'x'.repeat(maxUnreadBytes) })).toBe(false);
    expect(response.destroyed).toBe(true);
    expect(stream.send({ data: 'more' })).toBe(false);
  });

  it('says once that it is over', () => {
    const { stream } = open();
    let closed = 0;
    stream.onClose = () => closed++;
    stream.end();
    stream.end();
    expect([closed, stream.open]).toEqual([1, false]);
  });
});

describe('StreamKeeper', () => {
  it('keeps streams alive, drops those that read nothing for 30 s, and forgets the closed', () => {
    const keeper = new StreamKeeper(new Metrics());
    const [alive, stalled, recovered, closed] = [open(), open(), open(), open()];
    for (const { stream } of [alive, stalled, recovered, closed]) keeper.add(stream);
    stalled.response.reads = recovered.response.reads = false;
    stalled.stream.send({ data: 'x' });
    recovered.stream.send({ data: 'x' });
    recovered.response.emit('drain');
    recovered.response.reads = true;
    closed.stream.end();

    keeper.tick(Date.now() + 31_000);
    expect(alive.response.written).toBe(': ka\n\n');
    expect([stalled.response.destroyed, recovered.response.destroyed]).toEqual([true, false]);
    keeper.tick(Date.now() + 31_000);
    expect(keeper.size).toBe(2);
    keeper.onApplicationShutdown();
  });
});
