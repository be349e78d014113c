import ipaddr from 'ipaddr.js';
import { isObject } from '../../normalise/json-values.js';
import { objects, part, text, whole } from '../draft.js';
import type { Findings } from '../findings.js';
import type { ResolvedService } from '../resolution.js';
import { inNetwork } from './network-rules.js';
import type { Rule } from './rule.js';

export const rootLogin: Rule = ({ draft, findings, resolution }) => {
  const ssh = resolution?.services.find(({ name }) => name === 'ssh');
  if (ssh?.config.allow_root === true && part(draft, 'security').disable_root !== false) {
    findings.error(`/services/${ssh.at}/config/allow_root`, 'root_disabled', 'allow_root lets root log in, and security.disable_root (true by default) locks root.', 'security.disable_root: false');
  }
};

export const portConflicts: Rule = ({ findings, resolution }) => {
  const users = new Map<number, string>();
  for (const service of resolution?.services ?? []) {
    for (const { port, field } of tcpPorts(service)) {
      const other = users.get(port);
      if (other && other !== service.name) findings.error(`/services/${service.at}/config/${field}`, 'port_conflict', `${service.name} and ${other} would both listen on port ${port}.`);
      users.set(port, service.name);
    }
  }
};

function tcpPorts({ name, config }: ResolvedService): { port: number; field: string }[] {
  if (name === 'nginx') {
    return objects(config, 'sites').map(({ value }, at) => ({ port: whole(value, 'port') ?? (value.ssl === true ? 443 : 80), field: `sites/${at}` }));
  }
  const port = whole(config, 'port');
  return port === undefined ? [] : [{ port, field: 'port' }];
}

export const serviceDetails: Rule = ({ findings, resolution }) => {
  for (const { name, config, at } of resolution?.services ?? []) {
    const path = `/services/${at}/config`;
    if (name === 'dhcp') dhcpRules(config, path, findings);
    if (name === 'nginx') nginxRules(config, path, findings);
  }
};

function dhcpRules(config: Record<string, unknown>, path: string, findings: Findings): void {
  const subnet = text(config, 'subnet');
  if (subnet === undefined || !ipaddr.IPv4.isValidCIDR(subnet)) {
    if (subnet !== undefined && ipaddr.isValidCIDR(subnet)) findings.error(`${path}/subnet`, 'not_ipv4', 'The DHCP service serves IPv4 networks.');
    return;
  }
  for (const key of ['range_start', 'range_end', 'gateway']) {
    const address = text(config, key);
    if (address !== undefined && ipaddr.IPv4.isValidFourPartDecimal(address) && !inNetwork(ipaddr.IPv4.parse(address), subnet)) findings.error(`${path}/${key}`, 'outside_subnet', `${address} does not lie in ${subnet}.`);
  }
  const [start, end] = [text(config, 'range_start'), text(config, 'range_end')].map((address) => (address !== undefined && ipaddr.IPv4.isValidFourPartDecimal(address) ? asNumber(address) : undefined));
  if (start !== undefined && end !== undefined && start > end) findings.error(`${path}/range_end`, 'range_reversed', 'range_end comes before range_start.');
}

const asNumber = (address: string) => ipaddr.IPv4.parse(address).octets.reduce((total, octet) => total * 256 + octet, 0);

function nginxRules(config: Record<string, unknown>, path: string, findings: Findings): void {
  for (const { value, path: site } of objects(config, 'sites', path)) {
    const target = text(value, 'proxy_pass');
    if ((text(value, 'root') === undefined) === (target === undefined)) findings.error(site, 'site_target', 'Give root or proxy_pass, one of them.');
    if (target !== undefined && !/^https?:\/\/[^\s;{}"'\\$]+$/.test(target)) findings.error(`${site}/proxy_pass`, 'site_target', 'must be an http or https URL without spaces, quotes, braces or semicolons');
    if ((text(value, 'certificate') === undefined) !== (text(value, 'certificate_key') === undefined)) findings.error(site, 'site_certificate', 'certificate and certificate_key belong together.');
  }
}

export const collectorNames: Rule = ({ findings, resolution }) => {
  const monitoring = resolution?.services.find(({ name }) => name === 'monitoring');
  const collectors = isObject(monitoring?.config) ? monitoring.config.collectors : undefined;
  if (!monitoring || !Array.isArray(collectors)) return;
  collectors.forEach((collector, at) => {
    if (typeof collector === 'string' && !/^[a-z][a-z0-9_]{0,63}$/.test(collector)) findings.error(`/services/${monitoring.at}/config/collectors/${at}`, 'collector_name', 'must be the name of a collector, such as "processes"');
  });
};
