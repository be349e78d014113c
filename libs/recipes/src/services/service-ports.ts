import ipaddr from 'ipaddr.js';
import type { RecipeFeaturePort } from '../catalogue/catalogue.dto.js';
import { isObject } from '../normalise/json-values.js';
import type { Resolution } from '../validation/resolution.js';
import { isServiceId, serviceConfigs, type ServiceId } from './service-configs.js';

type Config = Record<string, unknown>;
export type ListeningPort = Pick<RecipeFeaturePort, 'protocol' | 'port'>;

const tcp = (port: unknown): ListeningPort => ({ protocol: 'tcp', port: Number(port) });
const udp = (port: unknown): ListeningPort => ({ protocol: 'udp', port: Number(port) });
export const isLoopback = (address: string): boolean =>
  address === 'localhost' || (ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback');
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const beyondThisHost = (addresses: unknown): boolean =>
  list(addresses).some((address) => typeof address === 'string' && !isLoopback(address));

/** What each service answers other hosts on, by its config. One that speaks only to its own host needs nothing opened. */
const listening: Record<ServiceId, (config: Config) => ListeningPort[]> = {
  ssh: ({ port }) => [tcp(port)],
  docker: () => [],
  firewall: () => [],
  // The page of the distribution where there are no sites.
  nginx: ({ sites }) =>
    list(sites).length
      ? list(sites)
          .filter(isObject)
          .map(({ port, ssl }) => tcp(port ?? (ssl === true ? 443 : 80)))
      : [tcp(80)],
  postgresql: ({ port, listen_addresses }) => (beyondThisHost(listen_addresses) ? [tcp(port)] : []),
  redis: ({ port, bind }) => (beyondThisHost(bind) ? [tcp(port)] : []),
  monitoring: ({ port, listen_address }) =>
    typeof listen_address === 'string' && isLoopback(listen_address) ? [] : [tcp(port)],
  ntp: ({ allow }) => (list(allow).length ? [udp(123)] : []),
  dns: () => [tcp(53), udp(53)],
  dhcp: () => [udp(67)],
  vpn: ({ listen_port, peers }) => (list(peers).length ? [udp(listen_port)] : []),
};

/** @returns what a service of a recipe answers other hosts on; nothing of a config that is not valid */
export const portsOfService = (name: ServiceId, config: Config): ListeningPort[] =>
  listening[name](config).filter(({ port }) => Number.isInteger(port));

/**
 * What an image answers other hosts on: its services by their config, those that a feature brings and nobody configured by their
 * defaults, and what the catalogue says of features without a config. Each once.
 */
export function openPorts({ services, features }: Pick<Resolution, 'services' | 'features'>): ListeningPort[] {
  const byDefault = features.filter(({ id }) => !services.some(({ name }) => name === id));
  const all = [
    ...services.flatMap(({ name, config }) => portsOfService(name, config)),
    ...byDefault.flatMap(({ id, ports }) =>
      isServiceId(id) ? portsOfService(id, { ...new serviceConfigs[id]() }) : ports,
    ),
  ];
  return [...new Map(all.map((one) => [`${one.protocol} ${one.port ?? ''}`, one])).values()];
}
