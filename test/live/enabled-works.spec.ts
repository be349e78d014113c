import { describe, expect, it } from '@jest/globals';
import { useImage } from '../support/images/use-image.js';

const minutes = 60_000;

describe('what a recipe enables', () => {
  const image = useImage('sinkTrixie');

  it(
    'works: SSH through a firewall that knows it by its feature alone, sudo for who has a key only, scripts once the network is there',
    async () => {
      await image.inClone(
        async ({ sh }) => {
          const rules = await sh('nft list chain inet filter input');
          for (const line of [
            'policy drop;',
            'tcp dport 22 accept',
            'udp dport 68 accept',
            'ip6 saddr fe80::/10 udp dport 546 accept',
            'mld-listener-query',
          ])
            expect(rules).toContain(line);
          expect(await sh('ss -Hltn sport = :22 | wc -l')).not.toBe('0');
          expect(await sh('runuser -u grace -- sudo -n id -u')).toBe('0');
          expect(await sh('runuser -u ada -- env LC_ALL=C sudo -n true 2>&1 || true')).toContain(
            'a password is required',
          );
          expect(
            await sh(
              'for second in $(seq 120); do test -s /var/tmp/network-at-start && break; sleep 1; done; cat /var/tmp/network-at-start',
            ),
          ).toBe('active');
          expect(
            await sh(
              'systemctl show -P ExecMainStatus systemd-networkd-wait-online.service; systemctl --failed --plain --no-legend',
            ),
          ).toBe('0');
        },
        { name: 'works' },
      );
    },
    5 * minutes,
  );
});
