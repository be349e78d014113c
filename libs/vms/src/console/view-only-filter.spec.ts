import { describe, expect, it } from '@jest/globals';
import { ProtocolViolation, ViewOnlyFilter } from './view-only-filter.js';

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

function shaken(): ViewOnlyFilter {
  const filter = new ViewOnlyFilter();
  filter.pass(handshake);
  return filter;
}

describe('ViewOnlyFilter', () => {
  it('passes the handshake, and shares the screen whatever the client asks', () => {
    expect(new ViewOnlyFilter().pass(handshake)).toEqual(Buffer.concat([greeting, Buffer.from([1, 1])]));
  });

  it('passes what a viewer needs', () => {
    expect(shaken().pass(Buffer.concat([setPixelFormat, setEncodings, updateRequest]))).toEqual(Buffer.concat([setPixelFormat, setEncodings, updateRequest]));
  });

  it.each(dropped)('drops %s, and nothing after it', (_what, bytes) => {
    expect(shaken().pass(Buffer.concat([updateRequest, bytes, setPixelFormat, bytes, updateRequest]))).toEqual(Buffer.concat([updateRequest, setPixelFormat, updateRequest]));
  });

  it('finds the same in pieces of one byte', () => {
    const all = Buffer.concat([handshake, updateRequest, ...dropped.flatMap(([, bytes]) => [bytes, setEncodings])]);
    const whole = new ViewOnlyFilter().pass(all);
    const filter = new ViewOnlyFilter();
    expect(Buffer.concat([...all].map((byte) => filter.pass(Buffer.from([byte]))))).toEqual(whole);
    expect(whole).toEqual(Buffer.concat([greeting, Buffer.from([1, 1]), updateRequest, ...dropped.map(() => setEncodings)]));
  });

  it.each<[string, () => Buffer]>([
    ['an unknown message', () => shaken().pass(Buffer.from([77]))],
    ['an old version', () => new ViewOnlyFilter().pass(Buffer.from('RFB 003.003\n'))],
    ['another protocol', () => new ViewOnlyFilter().pass(Buffer.from('GET / HTTP/1.1\r\n'))],
    ['another authentication', () => new ViewOnlyFilter().pass(Buffer.concat([greeting, Buffer.from([2])]))],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ProtocolViolation));
});
