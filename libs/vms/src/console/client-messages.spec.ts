import { describe, expect, it, jest } from '@jest/globals';
import { ClientMessages, ProtocolViolation } from './client-messages.js';

const greeting = Buffer.from('RFB 003.008\n');
const message = (type: number, length: number, fill: (bytes: Buffer) => void = () => undefined) => {
  const bytes = Buffer.alloc(length, 7);
  bytes[0] = type;
  fill(bytes);
  return bytes;
};
const setPixelFormat = message(0, 20);
const setEncodings = message(2, 12, (bytes) => bytes.writeUInt16BE(2, 2));
const updateRequest = message(3, 10);
const dropped: [string, Buffer][] = [
  ['a key', message(4, 8)],
  ['a pointer', message(5, 6)],
  ['clipboard text', message(6, 5008, (bytes) => bytes.writeInt32BE(5000, 4))],
  ['the extended clipboard', message(6, 108, (bytes) => bytes.writeInt32BE(-100, 4))],
  ['a new desktop size', message(251, 40, (bytes) => bytes.writeUInt8(2, 6))],
  ['a fence', message(248, 12, (bytes) => bytes.writeUInt8(3, 8))],
  ['continuous updates', message(150, 10)],
  ['a power request', message(250, 4)],
  ['an extended key of QEMU', message(255, 12, (bytes) => (bytes[1] = 0))],
  ['a sound format of QEMU', message(255, 10, (bytes) => bytes.set([1, 0, 2], 1))],
  ['sound of QEMU', message(255, 4, (bytes) => bytes.set([1, 0, 0], 1))],
];
const handshake = Buffer.concat([greeting, Buffer.from([1, 0])]);

function shaken(viewOnly: boolean): ClientMessages {
  const messages = new ClientMessages({ viewOnly });
  messages.pass(handshake);
  return messages;
}
const viewer = () => new ClientMessages({ viewOnly: true });

describe('the messages of a viewer', () => {
  it('passes the handshake, and shares the screen whatever the client asks', () => {
    expect(viewer().pass(handshake)).toEqual(Buffer.concat([greeting, Buffer.from([1, 1])]));
  });

  it('passes what a viewer needs', () => {
    expect(shaken(true).pass(Buffer.concat([setPixelFormat, setEncodings, updateRequest]))).toEqual(
      Buffer.concat([setPixelFormat, setEncodings, updateRequest]),
    );
  });

  it.each(dropped)('drops %s, and nothing after it', (_what, bytes) => {
    expect(shaken(true).pass(Buffer.concat([updateRequest, bytes, setPixelFormat, bytes, updateRequest]))).toEqual(
      Buffer.concat([updateRequest, setPixelFormat, updateRequest]),
    );
  });

  it('finds the same in pieces of one byte', () => {
    const all = Buffer.concat([handshake, updateRequest, ...dropped.flatMap(([, bytes]) => [bytes, setEncodings])]);
    const whole = viewer().pass(all);
    const filter = viewer();
    expect(Buffer.concat([...all].map((byte) => filter.pass(Buffer.from([byte]))))).toEqual(whole);
    expect(whole).toEqual(
      Buffer.concat([greeting, Buffer.from([1, 1]), updateRequest, ...dropped.map(() => setEncodings)]),
    );
  });

  it.each<[string, () => Buffer]>([
    ['an unknown message', () => shaken(true).pass(Buffer.from([77]))],
    ['an old version', () => viewer().pass(Buffer.from('RFB 003.003\n'))],
    ['another protocol', () => viewer().pass(Buffer.from('GET / HTTP/1.1\r\n'))],
    ['another authentication', () => viewer().pass(Buffer.concat([greeting, Buffer.from([2])]))],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ProtocolViolation));
});

describe('what it costs to put messages together', () => {
  const longest = message(2, 4 + 4 * 256, (bytes) => bytes.writeUInt16BE(256, 2));

  it.each([true, false])('is every byte a few times, in pieces of one byte (view only: %s)', (viewOnly) => {
    const text = message(6, 8 + 5_000, (bytes) => bytes.writeInt32BE(5_000, 4));
    const said = Buffer.concat([longest, longest, text, longest]);
    const messages = shaken(viewOnly);
    const concat = jest.spyOn(Buffer, 'concat');
    for (const byte of said) messages.pass(Buffer.from([byte]));
    const copied = concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
    concat.mockRestore();
    expect(copied).toBeLessThan(4 * said.length);
  });

  it('is bounded by what one message may name', () => {
    expect(() => shaken(true).pass(message(2, 4, (bytes) => bytes.writeUInt16BE(257, 2)))).toThrow(ProtocolViolation);
  });
});

describe('the messages of one who may act', () => {
  const key = (down: boolean, keysym: number) =>
    message(4, 8, (bytes) => bytes.writeUInt8(Number(down), 1) && bytes.writeUInt32BE(keysym, 4));
  const qemuKey = (down: boolean, keysym: number, keycode: number) => {
    const bytes = Buffer.from([255, 0, 0, Number(down), 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.writeUInt32BE(keysym, 4);
    bytes.writeUInt32BE(keycode, 8);
    return bytes;
  };
  const shift = 0xffe1;
  const passed = (...messages: Buffer[]) => shaken(false).pass(Buffer.concat(messages));

  it('all pass, in pieces of any size', () => {
    const all = Buffer.concat([updateRequest, ...dropped.flatMap(([, bytes]) => [bytes, setEncodings])]);
    expect(passed(all)).toEqual(all);
    const messages = shaken(false);
    expect(Buffer.concat([...all].map((byte) => messages.pass(Buffer.from([byte]))))).toEqual(all);
  });

  it('a long text passes while it comes', () => {
    const start = message(6, 12, (bytes) => bytes.writeInt32BE(2 ** 31 - 1, 4));
    const messages = shaken(false);
    expect(messages.pass(start)).toEqual(start);
    const more = Buffer.alloc(2 ** 16, 4);
    expect(messages.pass(more)).toEqual(more);
  });

  it.each<[string, (down: boolean) => Buffer]>([
    ['RFB', (down) => key(down, 0x61)],
    ['QEMU', (down) => qemuKey(down, 0x61, 30)],
  ])('a key pressed while it is held is released before (%s)', (_what, a) => {
    expect(passed(a(true), a(true), a(true), a(false), a(true))).toEqual(
      Buffer.concat([a(true), a(false), a(true), a(false), a(true), a(false), a(true)]),
    );
  });

  it('another key, and a modifier, stay held', () => {
    const typed = [
      key(true, shift),
      key(true, shift),
      key(true, 0x41),
      key(true, 0x42),
      qemuKey(true, shift, 42),
      qemuKey(true, shift, 42),
    ];
    expect(passed(...typed)).toEqual(Buffer.concat(typed));
  });

  it.each<[string, () => Buffer]>([
    ['an unknown message', () => passed(Buffer.from([77]))],
    ['another protocol', () => new ClientMessages({ viewOnly: false }).pass(Buffer.from('GET / HTTP/1.1\r\n'))],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ProtocolViolation));
});
