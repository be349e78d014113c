import ipaddr from 'ipaddr.js';
import { nearestName } from '#libs/platform';
import { isLoopback } from '../../services/service-ports.js';
import { objects, part, text, texts, whole, type Draft } from '../draft.js';
import type { Findings } from '../findings.js';
import type { ResolvedService } from '../resolution.js';
import { inNetwork } from './network-rules.js';
import { reportDuplicates, type Rule } from './rule.js';

export const rootLogin: Rule = ({ draft, findings, resolution }) => {
  const ssh = resolution?.services.find(({ name }) => name === 'ssh');
  if (ssh?.config.allow_root === true && part(draft, 'security').disable_root !== false) {
    findings.error(
      `/services/${ssh.at}/config/allow_root`,
      'root_disabled',
      'allow_root lets root log in, and security.disable_root (true by default) locks root.',
      'security.disable_root: false',
    );
  }
};

export const portConflicts: Rule = ({ findings, resolution }) => {
  const users = new Map<number, string>();
  for (const service of resolution?.services ?? []) {
    for (const { port, field } of tcpPorts(service)) {
      const other = users.get(port);
      if (other && other !== service.name)
        findings.error(
          `/services/${service.at}/config/${field}`,
          'port_conflict',
          `${service.name} and ${other} would both listen on port ${port}.`,
        );
      users.set(port, service.name);
    }
  }
};

function tcpPorts({ name, config }: ResolvedService): { port: number; field: string }[] {
  if (name === 'nginx') {
    return objects(config, 'sites').map(({ value }, at) => ({
      port: whole(value, 'port') ?? (value.ssl === true ? 443 : 80),
      field: `sites/${at}`,
    }));
  }
  const port = whole(config, 'port');
  return port === undefined ? [] : [{ port, field: 'port' }];
}

export const serviceDetails: Rule = ({ draft, findings, names, resolution }) => {
  for (const { name, config, at } of resolution?.services ?? []) {
    const path = `/services/${at}/config`;
    if (name === 'dhcp') dhcpRules(config, path, findings);
    if (name === 'nginx') nginxRules(config, path, findings);
    if (name === 'monitoring') monitoringRules(config, path, { findings, collectors: names.collectors });
    if (name === 'postgresql') postgresqlRules(config, path, findings);
    if (name === 'vpn') vpnRules(config, draft, findings);
    if (name === 'firewall') firewallRules(draft, `${path}/default`, findings);
    if (name === 'redis') redisRules(config, path, findings);
  }
};

function dhcpRules(config: Record<string, unknown>, path: string, findings: Findings): void {
  const subnet = text(config, 'subnet');
  if (subnet === undefined || !ipaddr.IPv4.isValidCIDR(subnet)) {
    if (subnet !== undefined && ipaddr.isValidCIDR(subnet))
      findings.error(`${path}/subnet`, 'not_ipv4', 'The DHCP service serves IPv4 networks.');
    return;
  }
  for (const key of ['range_start', 'range_end', 'gateway']) {
    const address = text(config, key);
    if (
      address !== undefined &&
      ipaddr.IPv4.isValidFourPartDecimal(address) &&
      !inNetwork(ipaddr.IPv4.parse(address), subnet)
    )
      findings.error(`${path}/${key}`, 'outside_subnet', `${address} does not lie in ${subnet}.`);
  }
  const [start, end] = [text(config, 'range_start'), text(config, 'range_end')].map((address) =>
    address !== undefined && ipaddr.IPv4.isValidFourPartDecimal(address) ? asNumber(address) : undefined,
  );
  if (start !== undefined && end !== undefined && start > end)
    findings.error(`${path}/range_end`, 'range_reversed', 'range_end comes before range_start.');
}

const asNumber = (address: string) =>
  ipaddr.IPv4.parse(address).octets.reduce((total, octet) => total * 256 + octet, 0);

/** nginx answers for the first of two sites of one name and port, and only warns of the other; TLS is a matter of the port. */
function sitesApart(config: Record<string, unknown>, path: string, findings: Findings): void {
  const sites = objects(config, 'sites', path).map(({ value, path: at }) => ({
    at,
    name: text(value, 'server_name')?.toLowerCase() ?? '_',
    port: whole(value, 'port') ?? (value.ssl === true ? 443 : 80),
    ssl: value.ssl === true,
  }));
  for (const [position, { at, name, port, ssl }] of sites.entries()) {
    const before = sites.slice(0, position);
    if (before.some((site) => site.port === port && site.name === name))
      findings.error(
        `${at}/server_name`,
        'duplicate_site',
        `Another site answers for ${name} on port ${port} already.`,
      );
    else if (before.some((site) => site.port === port && site.ssl !== ssl))
      findings.error(
        `${at}/port`,
        'site_port',
        `Another site on port ${port} is ${ssl ? 'without' : 'with'} TLS, which holds for the whole port; give one of them another port.`,
      );
  }
}

function nginxRules(config: Record<string, unknown>, path: string, findings: Findings): void {
  sitesApart(config, path, findings);
  for (const { value, path: site } of objects(config, 'sites', path)) {
    const target = text(value, 'proxy_pass');
    if ((text(value, 'root') === undefined) === (target === undefined))
      findings.error(site, 'site_target', 'Give root or proxy_pass, one of them.');
    if (target !== undefined && !/^https?:\/\/[^\s;{}"'\\$]+$/.test(target))
      findings.error(
        `${site}/proxy_pass`,
        'site_target',
        'must be an http or https URL without spaces, quotes, braces or semicolons',
      );
    // nginx takes it for a variable, whatever stands around it.
    for (const key of ['root', 'certificate', 'certificate_key'])
      if (text(value, key)?.includes('$'))
        findings.error(
          `${site}/${key}`,
          'site_path',
          'nginx cannot be told a path with a dollar sign; give it another name.',
        );
    if ((text(value, 'certificate') === undefined) !== (text(value, 'certificate_key') === undefined))
      findings.error(site, 'site_certificate', 'certificate and certificate_key belong together.');
  }
}

function monitoringRules(
  config: Record<string, unknown>,
  path: string,
  { findings, collectors }: { findings: Findings; collectors: ReadonlySet<string> },
): void {
  for (const { value, path: at } of texts(config, 'collectors', path)) {
    if (!collectors.has(value))
      findings.error(
        at,
        'unknown_collector',
        `The node exporter of this base has no collector ${value} and would not start; it has ${[...collectors].join(', ')}.`,
        () => nearestName(value, [...collectors]),
      );
  }
}

function postgresqlRules(config: Record<string, unknown>, path: string, findings: Findings): void {
  const databases = new Set(texts(config, 'databases').map(({ value }) => value));
  const users = objects(config, 'users', path);
  reportDuplicates(
    users.map(({ value, path: user }) => ({ key: text(value, 'name'), path: `${user}/name` })),
    (user, name) => findings.error(user, 'duplicate_user', `The role ${name} is made twice.`),
  );
  const owners = new Map<string, string>();
  for (const { value, path: user } of users) {
    for (const database of texts(value, 'databases', user)) {
      const owner = owners.get(database.value);
      if (!databases.has(database.value))
        findings.error(database.path, 'unknown_database', `databases does not name ${database.value}.`, () =>
          nearestName(database.value, [...databases]),
        );
      else if (owner !== undefined)
        findings.error(database.path, 'database_owned_twice', `${owner} owns ${database.value} already.`);
      owners.set(database.value, text(value, 'name') ?? '');
    }
  }
}

/** redis.conf, protected-mode: without a password only this host gets an answer. */
function redisRules(config: Record<string, unknown>, path: string, findings: Findings): void {
  const outside = texts(config, 'bind', path).find(({ value }) => !isLoopback(value));
  if (outside && text(config, 'password_sha256') === undefined)
    findings.warn(
      outside.path,
      'redis_protected',
      `Redis listens on ${outside.value} and, without password_sha256, refuses everybody but this host.`,
    );
}

/** Rules of both are joined; of two answers to all other traffic one would be lost. */
function firewallRules(draft: Draft, path: string, findings: Findings): void {
  const networking = part(draft, 'networking');
  const given = objects(draft, 'services').flatMap(({ value }) =>
    text(value, 'name') === 'firewall' ? (text(part(value, 'config'), 'default') ?? []) : [],
  )[0];
  if (given === undefined || !Object.hasOwn(networking, 'firewall')) return;
  const asked = text(part(networking, 'firewall'), 'default') ?? 'deny';
  if (given !== asked)
    findings.error(
      path,
      'firewall_default',
      `networking.firewall says ${asked} of traffic that no rule names, and the service firewall says ${given}; say the same in both.`,
    );
}

/** networkd reads the key as the account systemd-network. */
function vpnRules(config: Record<string, unknown>, draft: Draft, findings: Findings): void {
  const file = objects(draft, 'files').find(({ value }) => text(value, 'path') === text(config, 'private_key_file'));
  if (file && text(file.value, 'group') !== 'systemd-network')
    findings.error(
      file.path,
      'key_unreadable',
      'The VPN reads its private key as the group systemd-network: give the file that group and the mode 0640.',
    );
}
