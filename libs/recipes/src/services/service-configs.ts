import type { DtoClass } from '#libs/platform';
import {
  DockerServiceConfig,
  MonitoringServiceConfig,
  NginxServiceConfig,
  PostgresqlServiceConfig,
  RedisServiceConfig,
} from './application-services.dto.js';
import {
  DhcpServiceConfig,
  DnsServiceConfig,
  FirewallServiceConfig,
  NtpServiceConfig,
  SshServiceConfig,
  VpnServiceConfig,
} from './network-services.dto.js';

/** The config class of each service, by service id. `data/services.yaml` says what else a service is; the two lists must name the same services. */
export const serviceConfigs = {
  ssh: SshServiceConfig,
  docker: DockerServiceConfig,
  firewall: FirewallServiceConfig,
  nginx: NginxServiceConfig,
  postgresql: PostgresqlServiceConfig,
  redis: RedisServiceConfig,
  monitoring: MonitoringServiceConfig,
  ntp: NtpServiceConfig,
  dns: DnsServiceConfig,
  dhcp: DhcpServiceConfig,
  vpn: VpnServiceConfig,
} satisfies Record<string, DtoClass>;

export type ServiceId = keyof typeof serviceConfigs;
export type ServiceConfig<Id extends ServiceId> = InstanceType<(typeof serviceConfigs)[Id]>;
export const isServiceId = (id: string): id is ServiceId => Object.hasOwn(serviceConfigs, id);
