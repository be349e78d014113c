import { describe, expect, it } from '@jest/globals';
import { parseInput } from '#libs/platform';
import { RecipeDto, type Resolution } from '#libs/recipes';
import type { PlannedFile } from './image-plan.js';
import { planImage } from './plan-image.js';
import { controlsOf } from './security.renderer.js';

const recipe = (more: object = {}) => parseInput(RecipeDto, { name: 'web-1', base_image: 'debian-bookworm', ...more });
const resolution = (more: Partial<Resolution> = {}): Resolution => ({
  base: { id: 'debian-bookworm' } as never,
  features: [],
  packages: [],
  installed: [],
  removedPackages: [],
  services: [],
  units: [],
  ...more,
});
const plan = (more: object = {}, resolved: Partial<Resolution> = {}) => {
  const { steps } = planImage(recipe(more), resolution(resolved), [
    { uri: 'http://mirror.example/debian', suite: 'bookworm', components: ['main'] },
  ]);
  const files = Object.fromEntries(
    steps.filter((step): step is PlannedFile => 'path' in step).map((file) => [file.path, file]),
  );
  const commands = steps.flatMap((step) => ('argv' in step ? [step] : []));
  return { files, commands, text: (path: string) => String(files[path]?.content ?? '') };
};
const feature = (id: string, ports: object[] = []) => ({ id, files: [], ports }) as never;
const service = (name: string, config: Record<string, unknown>) => ({ name: name as never, config, at: 0 });

describe('planImage', () => {
  it('names the host', () => {
    const { text } = plan({
      networking: {
        hostname: 'edge',
        domain: 'example.org',
        hosts: [{ ip: '10.0.0.9', names: ['db', 'db.example.org'] }],
      },
    });
    expect(text('/etc/hostname')).toBe('edge\n');
    expect(text('/etc/hosts')).toContain('127.0.1.1 edge.example.org edge\n');
    expect(text('/etc/hosts')).toContain('10.0.0.9 db db.example.org\n');
    expect(plan().text('/etc/hostname')).toBe('web-1\n');
  });

  it('waits for the serial port of the login prompt for as long as a slow machine takes', () => {
    expect(plan().text('/etc/systemd/system/dev-ttyS0.device.d/10-openfactory.conf')).toBe(
      '[Unit]\nJobRunningTimeoutSec=15min\n',
    );
  });

  it('gives the image apt sources of its own, not those it was built from', () => {
    expect(plan().text('/etc/apt/sources.list')).toBe('deb http://mirror.example/debian bookworm main\n');
    const without = planImage(recipe(), resolution(), []).steps.find(
      (step) => 'path' in step && step.path === '/etc/apt/sources.list',
    );
    expect(without).toMatchObject({ content: expect.stringMatching(/^# No mirror was configured/) });
  });

  it('asks for addresses on every wired interface, unless the recipe names some', () => {
    expect(plan().text('/etc/systemd/network/80-wired.network')).toContain('DHCP=yes');
    const { files, text } = plan({
      networking: {
        interfaces: [{ name: 'enp1s0', addresses: ['192.0.2.5/24'], gateway4: '192.0.2.1', mtu: 1400 }],
        dns: { nameservers: ['192.0.2.53'], search: ['example.org'] },
      },
    });
    expect(Object.keys(files)).not.toContain('/etc/systemd/network/80-wired.network');
    for (const line of [
      'Name=enp1s0',
      'DHCP=no',
      'Address=192.0.2.5/24',
      'Gateway=192.0.2.1',
      'MTUBytes=1400',
      'DNS=192.0.2.53',
      'Domains=example.org',
    ])
      expect(text('/etc/systemd/network/10-interface.network').split('\n')).toContain(line);
  });

  it('makes users without a password or hash in any argument', () => {
    const { commands, files } = plan({
      users: [
        {
          username: 'ada',
          password_hash: '$y$j9T$abcdefgh$0123456789012345678901234567890123456789012',
          groups: ['adm'],
          sudo: true,
          uid: 1500,
          ssh_authorized_keys: [
            'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yJ1uXQ2xQ5p0p8T4rG9Q3nq3hVq3m6m8n7b6v5c4x ada@host',
          ],
        },
      ],
    });
    expect(commands.map(({ argv }) => argv)).toContainEqual([
      'useradd',
      '--create-home',
      '--home-dir',
      '/home/ada',
      '--shell',
      '/bin/bash',
      '--uid',
      '1500',
      '--user-group',
      '--groups',
      'adm,sudo',
      '--',
      'ada',
    ]);
    expect(commands.flatMap(({ argv }) => argv).join(' ')).not.toContain('$y$');
    expect(commands.find(({ argv }) => argv[0] === 'chpasswd')?.input).toBe(
      'ada:$y$j9T$abcdefgh$0123456789012345678901234567890123456789012\n',
    );
    expect(files['/home/ada/.ssh/authorized_keys']).toMatchObject({ mode: '0600', owner: 'ada' });
    expect(commands.map(({ argv }) => argv)).toContainEqual(['usermod', '--lock', 'root']);
  });

  it('opens the ports of enabled services and denies the rest', () => {
    const text = plan(
      {
        networking: {
          firewall: {
            default: 'deny',
            rules: [
              { action: 'allow', port: 5432, source: '10.0.0.0/8' },
              { action: 'deny', port: 25, source: '2001:db8::/32' },
            ],
          },
        },
      },
      {
        features: [feature('firewall')],
        services: [service('ssh', { port: 2222 }), service('monitoring', { port: 9100, collectors: [] })],
      },
    ).text('/etc/nftables.conf');
    for (const line of [
      'type filter hook input priority 0; policy drop;',
      'ip saddr 10.0.0.0/8 tcp dport 5432 accept',
      'ip6 saddr 2001:db8::/32 tcp dport 25 drop',
      'tcp dport 2222 accept',
      'tcp dport 9100 accept',
    ])
      expect(text).toContain(`    ${line}\n`);
    expect(text.indexOf('5432')).toBeLessThan(text.indexOf('dport 2222'));
  });

  it('lets in what a feature alone brings', () => {
    const features = [feature('ssh'), feature('firewall'), feature('keepalived', [{ protocol: 'vrrp' }])];
    const lines = plan({}, { features })
      .text('/etc/nftables.conf')
      .split('\n')
      .map((line) => line.trim());
    expect(lines).toEqual(expect.arrayContaining(['tcp dport 22 accept', 'meta l4proto vrrp accept']));
  });

  it('lets in what the addresses of the host itself need, IPv6 too', () => {
    const text = plan({}, { features: [feature('firewall')] }).text('/etc/nftables.conf');
    for (const line of [
      'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept',
      'udp dport 68 accept',
      'ip6 saddr fe80::/10 udp dport 546 accept',
    ])
      expect(text).toContain(`    ${line}\n`);
  });

  it('asks for no password that nobody has', () => {
    const ssh_authorized_keys = [
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yJ1uXQ2xQ5p0p8T4rG9Q3nq3hVq3m6m8n7b6v5c4x ada@host',
    ];
    const password_hash = '$y$j9T$abcdefgh$0123456789012345678901234567890123456789012';
    const users = [
      { username: 'ada', sudo: true, ssh_authorized_keys },
      { username: 'bob', groups: ['sudo'], password_hash: '!', ssh_authorized_keys },
      { username: 'cy', sudo: true, password_hash, ssh_authorized_keys },
      { username: 'dan', ssh_authorized_keys },
      { username: 'eve', sudo: true },
    ];
    expect(plan({ users }).files['/etc/sudoers.d/50-openfactory']).toMatchObject({
      mode: '0440',
      content: 'ada ALL=(ALL:ALL) NOPASSWD: ALL\nbob ALL=(ALL:ALL) NOPASSWD: ALL\n',
    });
    expect(Object.keys(plan({ users: users.slice(2) }).files)).not.toContain('/etc/sudoers.d/50-openfactory');
  });

  it('lets root in by SSH only where both say so', () => {
    const config = {
      port: 22,
      allow_root: true,
      disable_password_auth: true,
      client_alive_interval: 60,
      max_auth_tries: 6,
      permit_empty_passwords: false,
    };
    const sshd = (disable_root: boolean) =>
      plan({ security: { disable_root } }, { services: [service('ssh', config)] }).text(
        '/etc/ssh/sshd_config.d/10-openfactory.conf',
      );
    expect(sshd(true)).toContain('PermitRootLogin no\n');
    expect(sshd(false)).toContain('PermitRootLogin prohibit-password\n');
    expect(sshd(false)).toContain('PasswordAuthentication no\n');
  });

  it('hardens more from level to level', () => {
    const count = (level: 'minimal' | 'standard' | 'strict') => controlsOf(level).length;
    expect(count('minimal')).toBeLessThan(count('standard'));
    expect(count('standard')).toBeLessThan(count('strict'));
    expect(Object.keys(plan({ security: { hardening_level: 'strict' } }).files)).toContain(
      '/etc/modprobe.d/openfactory-dccp.conf',
    );
    expect(Object.keys(plan({ security: { hardening_level: 'standard' } }).files)).not.toContain(
      '/etc/modprobe.d/openfactory-dccp.conf',
    );
    expect(plan({ security: { audit_logging: true } }).text('/etc/audit/rules.d/60-openfactory.rules')).toContain(
      '/etc/shadow',
    );
  });

  it('runs startup scripts in order, under names of our own', () => {
    const { files, text } = plan({
      startup_scripts: [
        { name: '../../etc/cron.d/x', script: '#!/bin/sh\necho b', order: 20 },
        { name: 'first', script: '#!/bin/sh\necho a', order: 10, run_once: false },
      ],
    });
    expect(text('/usr/local/lib/openfactory/startup-0')).toContain('echo a');
    expect(text('/etc/systemd/system/of-startup-1.service')).toContain('After=of-startup-0.service');
    expect(text('/etc/systemd/system/of-startup-1.service')).toContain(
      'ConditionPathExists=!/var/lib/openfactory/startup-1.done',
    );
    expect(text('/etc/systemd/system/of-startup-0.service')).not.toContain('ConditionPathExists');
    expect(Object.keys(files).filter((file) => file.includes('..'))).toEqual([]);
  });

  it('starts scripts once there is a network, where the recipe has one', () => {
    const script = { name: 's', script: '#!/bin/sh\n' };
    const unit = (more: object, networking?: object) =>
      plan({ startup_scripts: [{ ...script, ...more }], ...(networking && { networking }) }).text(
        '/etc/systemd/system/of-startup-0.service',
      );
    const waits = 'Wants=network-online.target\nAfter=network-online.target\n';
    expect(unit({})).toContain(waits);
    expect(unit({}, { interfaces: [{ name: 'eth0', addresses: ['192.0.2.5/24'] }] })).toContain(waits);
    expect(unit({}, { interfaces: [{ name: 'eth0' }] })).not.toContain('network-online');
    expect(unit({ after: 'network' }, { interfaces: [{ name: 'eth0' }] })).toContain(waits);
    expect(unit({ after: 'boot' })).not.toContain('network-online');
    // The target means something, and for a bounded time.
    expect(plan().text('/etc/systemd/system/systemd-networkd-wait-online.service.d/10-openfactory.conf')).toMatch(
      /ExecCondition=.*carrier --timeout=10\nExecStart=\nExecStart=-.*routable --timeout=20\n/,
    );
    expect(plan().commands.map(({ argv }) => argv.join(' '))).not.toContainEqual(expect.stringContaining('disable'));
  });

  it('gives every image the guest helper, but not one that removes the guest agent', () => {
    const { files, commands } = plan();
    expect(files['/usr/lib/openfactory/helper']).toMatchObject({
      mode: '0755',
      content: expect.stringMatching(/^#!\/usr\/bin\/perl\n/),
    });
    expect(commands.map(({ argv }) => argv)).toContainEqual([
      'systemctl',
      'enable',
      '--quiet',
      'openfactory-helper.service',
    ]);
    const without = plan({}, { removedPackages: ['qemu-guest-agent'] });
    expect(Object.keys(without.files).filter((file) => file.includes('helper'))).toEqual([]);
    expect(without.commands.flatMap(({ argv }) => argv)).not.toContain('openfactory-helper.service');
  });

  it('has each machine make the certificate that is cleaned out of images, before what may read it', () => {
    const unit = plan().text('/etc/systemd/system/of-machine.service');
    for (const line of [
      'DefaultDependencies=no',
      'Before=sysinit.target shutdown.target',
      'ExecStart=/usr/lib/openfactory/own boot',
    ])
      expect(unit.split('\n')).toContain(line);
    expect(plan().commands.map(({ argv }) => argv)).toContainEqual([
      'systemctl',
      'enable',
      '--quiet',
      'of-machine.service',
    ]);
    expect(plan().text('/usr/lib/openfactory/machine.d/packages')).toContain(
      'make /etc/ssl/private/ssl-cert-snakeoil.key snakeoil',
    );
  });

  it('leaves a file alone that the recipe has where the base has a link, as systemd-resolved has at /etc/resolv.conf', () => {
    const made = planImage(
      recipe({
        files: [{ path: '/etc/resolv.conf', content: 'nameserver 192.0.2.53\n' }],
        networking: { dns: { nameservers: ['192.0.2.54'] } },
      }),
      resolution(),
      [],
    );
    const isFile = (step: object) => 'path' in step && step.path === '/etc/resolv.conf';
    expect(made.beforeCleaning.filter(isFile)).toEqual([]);
    expect(made.afterCleaning.filter(isFile)).toEqual([
      expect.objectContaining({ content: 'nameserver 192.0.2.53\n' }),
    ]);
    // tree-runner.medium.spec.ts: it takes the place of the link. At boot live-boot and systemd-tmpfiles write there only where nothing is.
    expect(made.steps.filter((step) => 'argv' in step && step.argv.join(' ').includes('resolv'))).toEqual([]);
  });

  it('puts the recipe’s own files last, so that they win', () => {
    const { steps } = planImage(
      recipe({
        files: [
          { path: '/etc/hostname', content: 'mine\n', mode: '0600' },
          { path: '/opt/x', content_base64: 'AAE=' },
        ],
      }),
      resolution(),
      [],
    );
    const writes = steps.filter((step): step is PlannedFile => 'path' in step);
    expect(writes.findLast(({ path }) => path === '/etc/hostname')).toMatchObject({ content: 'mine\n', mode: '0600' });
    expect(writes.find(({ path }) => path === '/opt/x')?.content).toEqual(Buffer.from([0, 1]));
  });
});
