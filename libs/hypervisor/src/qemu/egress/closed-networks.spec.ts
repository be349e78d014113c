import { describe, expect, it } from '@jest/globals';
import { networksOf } from './closed-networks.js';

const address = (local: string, prefixlen: number, more = {}) => ({
  addr_info: [{ family: 'inet', local, prefixlen, ...more }],
});

describe('the networks of a host', () => {
  it('are its addresses, public ones too, and what its interfaces stand in', () => {
    expect(
      networksOf({
        links: [address('203.0.113.7', 24), address('192.0.2.1', 32, { address: '192.0.2.9' })],
        routes: [],
      }),
    ).toEqual(['192.0.2.1/32', '192.0.2.9/32', '203.0.113.7/24', '203.0.113.7/32']);
  });

  it('are its gateways and what it reaches without one, but not what lies behind them', () => {
    const routes = [
      { dst: 'default', gateway: '203.0.113.1' },
      { dst: 'default', nexthops: [{ gateway: '203.0.113.2' }, {}] },
      { dst: '198.51.100.0/24', gateway: '203.0.113.3' },
      { dst: '192.0.2.0/24', scope: 'link' },
      { dst: '192.0.2.200', scope: 'host' },
    ];
    expect(networksOf({ links: [], routes })).toEqual([
      '192.0.2.0/24',
      '192.0.2.200/32',
      '203.0.113.1/32',
      '203.0.113.2/32',
      '203.0.113.3/32',
    ]);
  });

  it('are not the whole internet where a VPN is the default route, nor anything that is no IPv4 network', () => {
    const routes = [
      { dst: '0.0.0.0/1', scope: 'link' },
      { dst: '128.0.0.0/1', scope: 'link' },
      { dst: 'default', scope: 'link' },
      { dst: '::/0', gateway: 'fe80::1' },
      { dst: '1.2.3.4; accept', scope: 'link' },
    ];
    expect(
      networksOf({ links: [{}, { addr_info: [{ family: 'inet6', local: '2001:db8::1', prefixlen: 64 }] }], routes }),
    ).toEqual([]);
  });
});
