import { saidByFiles, saidGroups, saidUser } from './meaning-recipe.js';
import { serviceHosts, serviceSamples } from './service-samples.js';

/**
 * The images that live tests ask, by name. Each costs a build and a boot where it is not kept already, some minutes: add to one what goes together
 * with what is in it, rather than making another. A test names what it needs of its recipe beside its questions.
 */
export const everyFieldKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3Hq1nQ4l8d0d3yqv9mBv0oZ4kH1yEwq0b1u6nW2Q5c grace@example.test';

export const imageRecipes = {
  /** What VMs are made of whose subject is their life. Nothing of it changes what is typed or reached. */
  plain: {
    name: 'vm-image',
    base_image: 'debian-bookworm',
    features: ['ssh'],
    users: [{ username: 'ada', password: 'counts4the-engine', sudo: true }],
    output: { compression: 'fast' },
  },
  /** What most questions can be put to. */
  sink: {
    name: 'kitchen-sink',
    base_image: 'debian-bookworm',
    features: ['ssh', 'nginx'],
    packages: ['ssl-cert', 'nvme-cli', 'snmpd'],
    services: [
      { name: 'nginx', config: { sites: [{ server_name: 'shop.example.org', root: '/srv/www', ssl: true }] } },
    ],
    startup_scripts: [
      { name: 'secret', script: '#!/bin/sh\numask 077\nhead -c 18 /dev/urandom | base64 > /etc/app-secret\n' },
      {
        name: 'each start',
        run_once: false,
        script: '#!/bin/sh\numask 077\nhead -c 18 /dev/urandom | base64 > /etc/start-secret\n',
      },
    ],
    users: [{ username: 'ada', password: 'counts4the-engine', sudo: true }, saidUser],
    groups: saidGroups,
    files: saidByFiles,
    system: { locale: 'de_DE.utf8', timezone: 'US/Pacific' },
    output: { compression: 'fast' },
  },
  /** The same for what differs on Debian 13. */
  sinkTrixie: {
    name: 'kitchen-sink-trixie',
    base_image: 'debian-trixie',
    features: ['ssh', 'firewall'],
    services: serviceSamples,
    networking: { hosts: serviceHosts },
    users: [
      { username: 'ada', password: 'counts4the-engine', sudo: true },
      {
        username: 'grace',
        ssh_authorized_keys: [
          'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcuYRsjxY8y9MZpnvDYzSU7W4LwbRDdiy20E/ZryIha grace@example.org',
        ],
        sudo: true,
      },
      saidUser,
    ],
    groups: saidGroups,
    files: saidByFiles,
    system: {
      locale: 'de_DE.UTF-8',
      timezone: 'US/Pacific',
      keyboard: 'de(nodeadkeys)',
      kernel_args: ['memmap=64K$0x18690000'],
    },
    startup_scripts: [
      {
        name: 'after the network',
        script: '#!/bin/sh\nsystemctl is-active network-online.target > /var/tmp/network-at-start\n',
      },
      { name: 'from windows', script: '#!/bin/bash\r\nset -e\r\necho hello > /var/lib/hello.txt\r\n', after: 'boot' },
    ],
    output: { compression: 'fast' },
  },
  /** Every field of a recipe that takes effect, with a value that is no default. */
  everyField: {
    name: 'every-field',
    description: 'All of "it", for $5',
    base_image: 'debian-bookworm',
    features: ['ssh', 'nginx', 'monitoring', 'admin-tools', 'ntp'],
    packages: ['zip'],
    package_overrides: [
      { name: 'vim', action: 'replace', replacement: 'nano' },
      { name: 'jq', action: 'remove' },
    ],
    services: [
      { name: 'ssh', config: { port: 2222, max_auth_tries: 3, disable_password_auth: true } },
      {
        name: 'nginx',
        config: {
          worker_processes: 2,
          sites: [
            { server_name: 'fields.example.test', root: '/srv/site', port: 8080 },
            { server_name: 'tls.example.test', proxy_pass: 'http://127.0.0.1:8080', ssl: true },
          ],
        },
      },
      { name: 'monitoring', config: { port: 9200, collectors: ['processes'] } },
      { name: 'ntp', config: { servers: ['192.0.2.123'], allow: ['192.0.2.0/24'] } },
    ],
    users: [
      {
        username: 'grace',
        uid: 1234,
        shell: '/bin/sh',
        home: '/srv/grace',
        groups: ['ops'],
        ssh_authorized_keys: [everyFieldKey],
      },
    ],
    groups: [{ name: 'ops', gid: 4321 }],
    files: [
      { path: '/srv/site/index.html', content: 'a page' },
      { path: '/opt/tool', content_base64: 'AAEC', mode: '0750', owner: 'grace', group: 'ops' },
    ],
    networking: {
      hostname: 'fields',
      domain: 'example.test',
      interfaces: [{ match: 'en*', addresses: ['192.0.2.10/24'], gateway4: '192.0.2.1', mtu: 1400 }],
      dns: { nameservers: ['192.0.2.53'], search: ['corp.example.test'] },
      hosts: [{ ip: '192.0.2.20', names: ['db.example.test', 'db'] }],
      firewall: {
        default: 'deny',
        rules: [
          { action: 'allow', protocol: 'tcp', port: 8443, source: '198.51.100.0/24' },
          { action: 'deny', protocol: 'udp', port: 161 },
        ],
      },
    },
    security: { hardening_level: 'minimal', audit_logging: true },
    system: { timezone: 'Europe/Berlin', locale: 'de_DE.UTF-8', keyboard: 'de', kernel_args: ['quiet', 'of_test=1'] },
    startup_scripts: [
      { name: 'later', order: 20, run_once: false, script: '#!/bin/sh\necho later >> /var/log/order\n' },
      { name: 'earlier', order: 10, script: '#!/bin/sh\necho earlier >> /var/log/order\n' },
    ],
    tests: [{ description: 'zip is there', assertions: [{ type: 'package_installed', params: { package: 'zip' } }] }],
    output: { compression: 'fast' },
  },
} satisfies Record<string, { name: string; base_image: string; [field: string]: unknown }>;

export type ImageName = keyof typeof imageRecipes;
