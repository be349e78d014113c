import { describe, expect, it } from '@jest/globals';
import { specialNetworks } from './closed-networks.js';
import { egressRules } from './egress-filter.js';

describe('the rules of a guest’s network', () => {
  const rules = egressRules(['203.0.113.7/32', '127.0.0.0/8']);
  const chain = (name: string) =>
    new RegExp(`chain ${name} \\{([^}]*(?:\\{[^}]*\\}[^}]*)*)\\n  \\}`).exec(rules)?.[1] ?? '';

  it('close the special networks and those of the host', () => {
    const [, elements = ''] = /elements = \{ ([^}]*) \}/.exec(rules) ?? [];
    expect(elements.split(', ')).toEqual([...specialNetworks, '203.0.113.7/32']);
  });

  it('let nothing pass that they do not name', () => {
    for (const name of ['output', 'input', 'forward']) expect(chain(name)).toContain('policy drop;');
    expect(chain('forward').trim().split('\n')).toHaveLength(1);
  });

  it('let only questions to the forwarder pass before they close', () => {
    const [before = ''] = chain('output').split('@closed');
    const accepted = before.split('\n').filter((line) => line.includes('accept'));
    expect(accepted.map((line) => line.trim())).toEqual([
      'oifname "lo" icmp type destination-unreachable accept',
      'ip daddr 10.0.2.3 udp dport 53 accept',
      'ip daddr 10.0.2.3 tcp dport 53 accept',
    ]);
  });
});
