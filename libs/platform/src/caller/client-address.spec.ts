import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { ClientAddressReader, normaliseAddress } from './client-address.js';

const request = (remoteAddress: string, headers: Record<string, string> = {}) =>
  ({ headers, socket: { remoteAddress }, connection: { remoteAddress } }) as unknown as IncomingMessage;

describe('normaliseAddress', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['::1', '127.0.0.1'],
  ])('%s is %s', (spelling, address) => expect(normaliseAddress(spelling)).toBe(address));

  it('refuses what is no address', () => expect(() => normaliseAddress('evil.example')).toThrow('not an IP address'));
});

describe('ClientAddressReader', () => {
  it('takes the peer where nothing was forwarded', () => {
    expect(new ClientAddressReader([]).read(request('::ffff:198.51.100.4'))).toBe('198.51.100.4');
  });

  it.each([
    'x-forwarded-for',
    'forwarded',
    'x-real-ip',
    'cf-connecting-ip',
    'via',
    'x-forwarded-proto',
    'x-envoy-external-address',
  ])('refuses %s of a peer that is not a trusted proxy, and names the setting', (name) => {
    const read = () => new ClientAddressReader(['10.0.0.1']).read(request('198.51.100.4', { [name]: '203.0.113.7' }));
    expect(read).toThrow(
      expect.objectContaining({
        reason: 'proxy_not_configured',
        hint: expect.stringContaining('OPENFACTORY_TRUST_PROXY'),
      }),
    );
  });

  it('believes the nearest untrusted hop, not what a client wrote before it', () => {
    const reader = new ClientAddressReader(['10.0.0.0/8']);
    expect(reader.read(request('10.0.0.1', { 'x-forwarded-for': '1.2.3.4, 203.0.113.7, 10.9.9.9' }))).toBe(
      '203.0.113.7',
    );
    expect(reader.read(request('::ffff:10.0.0.1', { 'x-forwarded-for': '203.0.113.7' }))).toBe('203.0.113.7');
  });

  it('counts as local what was sent on this machine and came through no proxy, or through a trusted one that says so', () => {
    const isLocal = (trusted: string[], peer: string, headers: Record<string, string> = {}) =>
      new ClientAddressReader(trusted).isLocal(request(peer, headers));
    expect([
      isLocal([], '127.0.0.1'),
      isLocal([], '::1'),
      isLocal([], '::ffff:127.0.0.1'),
      isLocal([], '198.51.100.4'),
    ]).toEqual([true, true, true, false]);
    for (const name of ['x-forwarded-for', 'x-client-ip', 'cf-connecting-ip', 'via', 'x-forwarded-host'])
      expect([name, isLocal([], '127.0.0.1', { [name]: '127.0.0.1' })]).toEqual([name, false]);
    const behind = (address: string) => isLocal(['loopback'], '127.0.0.1', { 'x-forwarded-for': address });
    expect([behind('203.0.113.7'), behind('127.0.0.1'), behind('nonsense')]).toEqual([false, true, false]);
  });

  it('refuses nonsense from a trusted proxy instead of guessing', () => {
    const reader = new ClientAddressReader(['loopback']);
    expect(() => reader.read(request('127.0.0.1', { 'x-forwarded-for': 'unknown' }))).toThrow(
      'does not hold IP addresses',
    );
    expect(() => reader.read(request('127.0.0.1', { forwarded: 'for=203.0.113.7' }))).toThrow('no X-Forwarded-For');
  });
});
