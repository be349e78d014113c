import type { RecipeDto, Resolution, ServiceId } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';
import { machineWork } from './machine.renderer.js';
import { renderDhcp } from './services/dhcp.renderer.js';
import { renderDns } from './services/dns.renderer.js';
import { renderPostgresql } from './services/postgresql.renderer.js';
import { renderRedis } from './services/redis.renderer.js';
import type { ServiceRenderer } from './services/service-renderer.js';
import { renderVpn } from './services/vpn.renderer.js';

type Config = Record<string, unknown>;

/** One for every service of the schema. The firewall's is not here: an image with the feature has it without options too (firewall.renderer.ts). */
const renderers: { readonly [Id in Exclude<ServiceId, 'firewall'>]: ServiceRenderer<Id> } = {
  ssh: (plan, config, { recipe }) => renderSsh(plan, recipe, { ...config }),
  docker: (plan, config) => renderDocker(plan, { ...config }),
  nginx: (plan, config) => renderNginx(plan, { ...config }),
  monitoring: (plan, config) => renderMonitoring(plan, { ...config }),
  ntp: (plan, config) => renderNtp(plan, { ...config }),
  postgresql: renderPostgresql,
  redis: renderRedis,
  dns: renderDns,
  dhcp: renderDhcp,
  vpn: renderVpn,
};

export function renderServices(plan: ImagePlan, recipe: RecipeDto, resolution: Resolution): void {
  for (const { name, config } of resolution.services) {
    // The resolution holds each config as its class wrote it; the pair of name and config is lost to the compiler.
    if (name !== 'firewall')
      (renderers[name] as ServiceRenderer<ServiceId>)(plan, config as never, { recipe, resolution });
  }
}

/** chrony.conf(5): with servers of its own an image asks nobody else. */
function renderNtp(plan: ImagePlan, config: Config): void {
  const servers = config.servers as string[];
  if (servers.length) {
    plan.run(['sed', '-i', '-E', 's/^(pool|server) /#&/', '/etc/chrony/chrony.conf']);
    plan.file({
      path: '/etc/chrony/sources.d/openfactory.sources',
      content: servers.map((server) => `server ${server} iburst\n`).join(''),
    });
  }
  const allow = config.allow as string[];
  if (allow.length)
    plan.file({
      path: '/etc/chrony/conf.d/openfactory.conf',
      content: allow.map((network) => `allow ${network}\n`).join(''),
    });
}

/** sshd_config(5): the first value wins, so a drop-in that sorts first rules. */
function renderSsh(plan: ImagePlan, { security }: RecipeDto, config: Config): void {
  const yes = (value: unknown) => (value ? 'yes' : 'no');
  const rootLogin =
    config.allow_root && !security.disable_root ? (config.disable_password_auth ? 'prohibit-password' : 'yes') : 'no';
  const lines = [
    `Port ${Number(config.port)}`,
    `PermitRootLogin ${rootLogin}`,
    `PasswordAuthentication ${yes(!config.disable_password_auth)}`,
    `KbdInteractiveAuthentication ${yes(!config.disable_password_auth)}`,
    `ClientAliveInterval ${Number(config.client_alive_interval)}`,
    `MaxAuthTries ${Number(config.max_auth_tries)}`,
    `PermitEmptyPasswords ${yes(config.permit_empty_passwords)}`,
  ];
  if (config.timeout !== undefined) lines.push(`LoginGraceTime ${Number(config.timeout)}`);
  plan.file({ path: '/etc/ssh/sshd_config.d/10-openfactory.conf', content: `${lines.join('\n')}\n` });
}

function renderDocker(plan: ImagePlan, config: Config): void {
  const logOptions =
    config.log_driver === 'journald'
      ? {}
      : {
          'log-opts': {
            'max-size': `${Number(config.log_max_size_mb)}m`,
            'max-file': String(Number(config.log_max_files)),
          },
        };
  const daemon = {
    'registry-mirrors': config.registry_mirrors,
    'log-driver': config.log_driver,
    ...logOptions,
    'live-restore': config.live_restore,
    'data-root': config.data_root,
    ...((config.dns as string[]).length && { dns: config.dns }),
  };
  plan.file({ path: '/etc/docker/daemon.json', content: `${JSON.stringify(daemon, null, 2)}\n` });
}

function renderMonitoring(plan: ImagePlan, config: Config): void {
  const collectors = (config.collectors as string[]).map((name) => ` --collector.${name}`).join('');
  const address = typeof config.listen_address === 'string' ? config.listen_address : '';
  plan.file({
    path: '/etc/default/prometheus-node-exporter',
    content: `ARGS="--web.listen-address=${address.includes(':') ? `[${address}]` : address}:${Number(config.port)}${collectors}"\n`,
  });
}

interface NginxSite {
  server_name: string;
  root?: string;
  proxy_pass?: string;
  port?: number;
  ssl?: boolean;
  certificate?: string;
  certificate_key?: string;
}

function renderNginx(plan: ImagePlan, config: Config): void {
  plan.run([
    'sed',
    '-i',
    '-E',
    `s/^worker_processes .*;/worker_processes ${String(config.worker_processes)};/`,
    '/etc/nginx/nginx.conf',
  ]);
  if (config.worker_connections !== undefined)
    plan.run([
      'sed',
      '-i',
      '-E',
      `s/worker_connections [0-9]+;/worker_connections ${Number(config.worker_connections)};/`,
      '/etc/nginx/nginx.conf',
    ]);
  const sites = config.sites as NginxSite[];
  if (sites.length) plan.run(['rm', '-f', '/etc/nginx/sites-enabled/default']);
  sites.forEach((site, index) => {
    const file = `/etc/nginx/sites-available/openfactory-${index}`;
    plan.file({
      path: file,
      content: renderSite(
        site.ssl && !site.certificate ? { ...site, ...selfSigned(plan, `nginx-${index}`, site.server_name) } : site,
      ),
    });
    plan.run(['ln', '-sf', file, `/etc/nginx/sites-enabled/openfactory-${index}`]);
    if (site.root) plan.run(['install', '-d', '-m', '0755', '--', site.root]);
  });
  // A certificate that the first boot makes is not there to be tested.
  if (sites.length && sites.every(({ ssl, certificate }) => !ssl || certificate)) plan.check(['nginx', '-t', '-q']);
}

/** openssl-req(1), at the first boot: a key in the image would be everybody's. */
function selfSigned(
  plan: ImagePlan,
  name: string,
  commonName: string,
): { certificate: string; certificate_key: string } {
  const paths = {
    certificate: `/etc/ssl/openfactory/${name}.crt`,
    certificate_key: `/etc/ssl/openfactory/${name}.key`,
  };
  const openssl = `/usr/bin/openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=${commonName.replace(/[^A-Za-z0-9.*_-]/g, '_')}" -keyout ${paths.certificate_key} -out ${paths.certificate}`;
  machineWork(plan, name, {
    commands: ['install -d -m 0755 /etc/ssl/openfactory', `${openssl} 2> /dev/null`, `chmod 644 ${paths.certificate}`],
    users: ['nginx.service'],
  });
  return paths;
}

/** Inside quotes only these two need an escape; a dollar sign has none, so validation refuses it. */
const quoted = (path: string) => `"${path.replace(/[\\"]/g, '\\$&')}"`;

/**
 * nginx looks a host up when it starts, and does not start without an answer: neither does a machine without a network, nor the check of the build. With a
 * variable it asks systemd-resolved, which knows /etc/hosts too, as requests come; the path is then no part of the target (ngx_http_proxy_module).
 */
function passTo(target: string): string[] {
  const [, origin = '', host = '', path = ''] =
    /^(https?:\/\/(\[[^\]]*\]|[^/:?]+)(?::\d+)?)(\/[^?]*)?$/.exec(target) ?? [];
  if (/^(localhost|unix|\[.*\]|[\d.]+|)$/i.test(host)) return [`proxy_pass ${target};`];
  return [
    'resolver 127.0.0.53;',
    `set $openfactory_target "${origin}";`,
    ...(path === '' || path === '/' ? [] : [`rewrite ^/(.*)$ "${path}$1" break;`]),
    'proxy_pass $openfactory_target;',
  ];
}

function renderSite({ server_name, root, proxy_pass, port, ssl, certificate, certificate_key }: NginxSite): string {
  const listen = port ?? (ssl ? 443 : 80);
  return [
    'server {',
    `  listen ${listen}${ssl ? ' ssl' : ''};`,
    `  listen [::]:${listen}${ssl ? ' ssl' : ''};`,
    `  server_name ${server_name};`,
    ...(ssl && certificate && certificate_key
      ? [`  ssl_certificate ${quoted(certificate)};`, `  ssl_certificate_key ${quoted(certificate_key)};`]
      : []),
    ...(proxy_pass
      ? [
          '  location / {',
          ...passTo(proxy_pass).map((line) => `    ${line}`),
          '    proxy_set_header Host $host;',
          '    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
          '  }',
        ]
      : [`  root ${quoted(root ?? '/var/www/html')};`, '  index index.html;']),
    '}',
    '',
  ].join('\n');
}
