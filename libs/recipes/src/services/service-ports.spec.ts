import { describe, expect, it } from '@jest/globals';
import { catalogue } from '../testing/recipe.factory.js';
import { openPorts, portsOfService } from './service-ports.js';
import { serviceConfigs, type ServiceId } from './service-configs.js';

const features = (...ids: string[]) => ids.map((id) => catalogue.findFeature(id)!);
const said = (resolution: Parameters<typeof openPorts>[0]) =>
  openPorts(resolution)
    .map(({ protocol, port }) => [protocol, port].filter(Boolean).join(' '))
    .sort();

describe('openPorts', () => {
  it('knows what features alone listen on', () => {
    expect(
      said({ services: [], features: features('ssh', 'nginx', 'dns', 'samba', 'keepalived', 'monitoring') }),
    ).toEqual(['tcp 139', 'tcp 22', 'tcp 445', 'tcp 53', 'tcp 80', 'tcp 9100', 'udp 137', 'udp 138', 'udp 53', 'vrrp']);
  });

  it('opens nothing for what speaks to its own host only', () => {
    expect(
      said({ services: [], features: features('postgresql', 'redis', 'memcached', 'mariadb', 'vpn', 'ntp', 'docker') }),
    ).toEqual([]);
    expect(portsOfService('postgresql', { port: 5432, listen_addresses: ['localhost', '127.0.0.1', '::1'] })).toEqual(
      [],
    );
    expect(portsOfService('redis', { port: 6379, bind: ['127.0.0.1', '192.0.2.1'] })).toEqual([
      { protocol: 'tcp', port: 6379 },
    ]);
  });

  it('goes by the config of a service, not by its feature, and says each port once', () => {
    const sites = [
      { server_name: 'a', ssl: true },
      { server_name: 'b', port: 443 },
      { server_name: 'c', port: 8080 },
    ];
    const services = [
      { name: 'ssh' as const, config: { port: 2222 }, at: 0 },
      { name: 'nginx' as const, config: { sites }, at: 1 },
    ];
    expect(said({ services, features: features('ssh', 'nginx') })).toEqual(['tcp 2222', 'tcp 443', 'tcp 8080']);
  });

  it('finds nothing in a config that is not valid', () => {
    for (const name of Object.keys(serviceConfigs) as ServiceId[]) {
      const wrong = {
        port: 'x',
        listen_port: null,
        sites: [null, { port: {} }],
        listen_addresses: 7,
        bind: [null],
        allow: {},
        peers: 'x',
      };
      expect(() => portsOfService(name, wrong)).not.toThrow();
    }
    expect(portsOfService('ssh', { port: 'x' })).toEqual([]);
  });

  it('has a port for every feature whose service answers other hosts', () => {
    for (const { id, ports } of catalogue.features)
      for (const { protocol, port } of ports)
        expect([id, protocol === 'vrrp' ? port === undefined : Number.isInteger(port)]).toEqual([id, true]);
  });
});
