import type { ServiceRenderer } from './service-renderer.js';

/** Kea's kea-dhcp4.conf. Interfaces that come up after Kea are looked for again for five minutes. */
export const renderDhcp: ServiceRenderer<'dhcp'> = (
  plan,
  { subnet, range_start, range_end, gateway, dns, interface: served, lease_seconds },
) => {
  const option = (name: string, data: string | undefined) => (data ? [{ name, data }] : []);
  const config = {
    Dhcp4: {
      'interfaces-config': {
        interfaces: [served ?? '*'],
        'service-sockets-max-retries': 60,
        'service-sockets-retry-wait-time': 5_000,
      },
      'lease-database': { type: 'memfile', 'lfc-interval': 3_600 },
      'valid-lifetime': lease_seconds,
      subnet4: [
        {
          id: 1,
          subnet,
          pools: [{ pool: `${range_start} - ${range_end}` }],
          'option-data': [...option('routers', gateway), ...option('domain-name-servers', dns.join(', '))],
        },
      ],
    },
  };
  plan.file({ path: '/etc/kea/kea-dhcp4.conf', content: `${JSON.stringify(config, null, 2)}\n` });
  // An interface by name has to be there when Kea reads its configuration.
  plan.file({
    path: '/etc/systemd/system/kea-dhcp4-server.service.d/10-openfactory.conf',
    content: '[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nRestart=on-failure\nRestartSec=5\n',
  });
};
