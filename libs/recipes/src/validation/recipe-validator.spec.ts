import { describe, expect, it } from '@jest/globals';
import { FakePackageIndex } from '../testing/fake-package-index.js';
import { catalogue, validatorWith, validRecipe } from '../testing/recipe.factory.js';
import { RecipeValidator } from './recipe-validator.js';

const validator = validatorWith();
const check = async (more: Record<string, unknown> = {}) => await validator.validate(validRecipe(more));
const errorsOf = async (more: Record<string, unknown>) =>
  (await check(more)).errors.map(({ path, code }) => `${path} ${code}`);
const warningsOf = async (more: Record<string, unknown>) =>
  (await check(more)).warnings.map(({ path, code }) => `${path} ${code}`);

describe('a valid recipe', () => {
  it('resolves features, services, packages, size and time', async () => {
    const { valid, errors, warnings, resolved } = await check({
      features: ['fail2ban'],
      packages: ['curl'],
      services: [{ name: 'ssh', config: { port: '2222' } }],
    });
    expect({ valid, errors }).toEqual({ valid: true, errors: [] });
    expect(resolved).toMatchObject({
      base_image: 'debian-bookworm',
      features: expect.arrayContaining(['fail2ban', 'firewall', 'ssh']),
      packages: expect.arrayContaining(['curl', 'fail2ban', 'nftables', 'openssh-server']),
    });
    expect(resolved?.services).toEqual([
      {
        name: 'ssh',
        config: {
          port: 2222,
          allow_root: false,
          disable_password_auth: false,
          client_alive_interval: 60,
          max_auth_tries: 6,
          permit_empty_passwords: false,
        },
      },
    ]);
    expect(resolved?.estimated_size_bytes).toBeGreaterThan(70e6);
    expect(resolved?.estimated_seconds).toBeGreaterThan(100);
    expect(warnings.map(({ code }) => code)).toEqual(['feature_added', 'feature_added']);
  });

  it('is taken as JSON text, whole and in parts, and by every alias', async () => {
    const text = JSON.stringify({
      name: 'a',
      baseImage: 'debian-12',
      os: { features: '["ssh"]' },
      hardeningLevel: 'minimal',
      users: '[{"username":"ada","password":"x"}]',
      startupScripts: [{ name: 's', script: '#!/bin/sh\n' }],
    });
    const { valid, errors, resolved } = await validator.validate(text);
    expect({ valid, errors }).toEqual({ valid: true, errors: [] });
    expect(resolved).toMatchObject({ base_image: 'debian-bookworm', features: ['ssh'] });
  });

  it('becomes a whole document with ids and numbers', async () => {
    const { recipe } = await validator.check(
      validRecipe({
        base_image: 'debian-12',
        tests: [{ description: 't', assertions: [{ type: 'port_listening', params: { port: '2575' } }] }],
      }),
    );
    expect(recipe).toMatchObject({
      base_image: 'debian-bookworm',
      security: { hardening_level: 'standard', disable_root: true },
      tests: [{ assertions: [{ params: { port: 2575 } }] }],
      output: { formats: ['iso'] },
    });
  });

  it('says that packages were not checked while the index is missing', async () => {
    const { valid, warnings, resolved } = await new RecipeValidator(catalogue, new FakePackageIndex({})).validate(
      validRecipe({ packages: ['no-such-thing'] }),
    );
    expect(valid).toBe(true);
    expect(warnings).toContainEqual(expect.objectContaining({ code: 'packages_not_checked' }));
    expect(resolved).toMatchObject({ estimated_size_bytes: null, estimated_seconds: null });
  });
});

describe('everything wrong at once', () => {
  it('is reported at once, each by its path', async () => {
    const errors = await errorsOf({
      name: 'Not A Name',
      base_image: 'debian-bookwrm',
      featurs: ['ssh'],
      features: ['sssh', 'nginx', 'apache'],
      packages: ['curl', 'BAD NAME', 'curl=9'],
      package_overrides: [{ name: 'nano', action: 'replace' }],
      services: [{ name: 'ssh', config: { prot: 22, port: 70_000 } }, { name: 'sshd' }],
      users: [{ username: 'ada', passwd: 'x' }, { username: 'ada', groups: ['sudo', 'nope nope'] }, null],
      files: [{ path: '/etc/../shadow', content: 'x' }, { path: '/etc/a' }],
      networking: {
        hostname: 'a\nb',
        interfaces: [{ name: 'eth0', addresses: ['192.0.2.10/24', 'x'], gateway4: '198.51.100.1' }],
      },
      system: { timezone: 'Mars/Olympus', kernel_args: ['quiet', 'a\nb'] },
      tests: [{ description: 't', assertions: [{ type: 'port_listening', params: {} }, { type: 'nothing' }] }],
    });
    for (const expected of [
      '/name recipe_name',
      '/base_image unknown_base_image',
      '/featurs unknown_field',
      '/features/0 unknown_feature',
      '/features feature_conflict',
      '/packages/1 package_spec',
      '/packages/2 duplicate_package',
      '/package_overrides/0/replacement replacement_missing',
      '/services/0/config/prot unknown_option',
      '/services/0/config/port max',
      '/services/1/name unknown_service',
      '/users/0/passwd unknown_field',
      '/users/1/username duplicate_user',
      '/users/1/groups/1 any_account_name',
      '/files/0/path absolute_path',
      '/files/1 file_content',
      '/networking/hostname hostname',
      '/networking/interfaces/0/addresses/1 cidr_address',
      '/networking/interfaces/0/gateway4 gateway_unreachable',
      '/system/timezone unknown_timezone',
      '/system/kernel_args/1 kernel_argument',
      '/tests/0/assertions/0/params/port missing_parameter',
      '/tests/0/assertions/1/type is_in',
    ]) {
      expect(errors).toContain(expected);
    }
    expect(errors.some((error) => error.startsWith('/users'))).toBe(true);
  });

  it('names the nearest known thing', async () => {
    const { errors } = await check({
      base_image: 'debian-bokworm',
      featurs: [],
      features: ['dokcer'],
      users: [{ username: 'a', paswword: 'b' }],
      services: [{ name: 'nginx', config: { worker_proceses: 'auto' } }],
    });
    const suggestion = (path: string) => errors.find((error) => error.path === path)?.suggestion;
    expect([
      suggestion('/base_image'),
      suggestion('/featurs'),
      suggestion('/features/0'),
      suggestion('/users/0/paswword'),
      suggestion('/services/0/config/worker_proceses'),
    ]).toEqual(['debian-bookworm', 'features', 'docker', 'password', 'worker_processes']);
  });
});

describe('packages', () => {
  const packageErrors = async (packages: string[]) => (await check({ packages })).errors;

  it('are looked up in the archive of the base', async () => {
    expect(await packageErrors(['curll'])).toEqual([
      {
        path: '/packages/0',
        code: 'unknown_package',
        message: expect.stringContaining('nearest names are curl'),
        suggestion: 'curl',
      },
    ]);
    expect(await packageErrors(['mail-transport-agent'])).toEqual([
      expect.objectContaining({
        code: 'virtual_package',
        message: expect.stringContaining('postfix'),
        suggestion: 'exim4-daemon-light',
      }),
    ]);
    expect(await packageErrors(['curl=1.0'])).toEqual([
      expect.objectContaining({
        code: 'unknown_version',
        message: expect.stringContaining('7.88.1-10, 7.88.1-9'),
        suggestion: 'curl=7.88.1-10',
      }),
    ]);
    expect(await packageErrors(['curl=7.88.1-9'])).toEqual([]);
  });

  it('may be 10,000 without holding anybody up', async () => {
    const packages = Array.from({ length: 10_000 }, (_, at) => `no-such-package-${at}`);
    const start = performance.now();
    let longestTurnMs = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longestTurnMs = Math.max(longestTurnMs, performance.now() - last);
      last = performance.now();
    }, 1);
    const { errors } = await check({ packages });
    clearInterval(timer);
    expect(errors).toContainEqual(
      expect.objectContaining({ path: '/packages', code: 'array_max_size', message: expect.stringContaining('2000') }),
    );
    expect(errors.length).toBeLessThan(300);
    expect(performance.now() - start).toBeLessThan(30_000);
    expect(longestTurnMs).toBeLessThan(1_500);
  });

  it('follow the overrides', async () => {
    const { resolved, errors } = await check({
      features: ['ssh'],
      packages: ['nano'],
      package_overrides: [
        { name: 'nano', action: 'replace', replacement: 'neovim' },
        { name: 'jq', action: 'add' },
        { name: 'openssh-server', action: 'remove' },
      ],
    });
    expect(errors).toEqual([]);
    expect(resolved?.packages).toEqual(['jq', 'neovim']);
  });
});

describe('checks across fields', () => {
  it.each([
    [
      'root and disable_root',
      { services: [{ name: 'ssh', config: { allow_root: true } }] },
      '/services/0/config/allow_root root_disabled',
    ],
    [
      'two services on one port',
      { services: [{ name: 'ssh', config: { port: 9100 } }, { name: 'monitoring' }] },
      '/services/1/config/port port_conflict',
    ],
    [
      'a group that nobody makes',
      { users: [{ username: 'ada', groups: ['docker'] }] },
      '/users/0/groups/0 unknown_group',
    ],
    [
      'the same uid',
      {
        users: [
          { username: 'a', uid: 1001 },
          { username: 'b', uid: '1001' },
        ],
      },
      '/users/1/uid duplicate_uid',
    ],
    [
      'two passwords',
      { users: [{ username: 'a', password: 'x', password_hash: '!' }] },
      '/users/0/password password_twice',
    ],
    [
      'a weak hash',
      { users: [{ username: 'a', password_hash: '$1$abc$defghijk' }] },
      '/users/0/password_hash password_hash',
    ],
    [
      'no key',
      { users: [{ username: 'a', ssh_authorized_keys: ['ssh-ed25519 AAAA\nevil'] }] },
      '/users/0/ssh_authorized_keys/0 ssh_key',
    ],
    [
      'too much content',
      { files: [1, 2].map((n) => ({ path: `/etc/${n}`, content: 'x'.repeat(600_000) })) },
      '/files files_too_large',
    ],
    [
      'name and match',
      { networking: { interfaces: [{ name: 'a', match: 'b*' }] } },
      '/networking/interfaces/0 interface_name',
    ],
    [
      'a DHCP range elsewhere',
      {
        services: [
          { name: 'dhcp', config: { subnet: '192.0.2.0/24', range_start: '198.51.100.1', range_end: '192.0.2.9' } },
        ],
      },
      '/services/0/config/range_start outside_subnet',
    ],
    [
      'a script without an interpreter',
      { startup_scripts: [{ name: 's', script: 'reboot' }] },
      '/startup_scripts/0/script script_without_interpreter',
    ],
    [
      'a repository of the factory’s network',
      { extra_repos: [{ uri: 'http://169.254.169.254/x', suite: 's', signed_by: 'k' }] },
      '/extra_repos/0/uri repository_uri',
    ],
    [
      'a trusted repository',
      { extra_repos: ['deb [trusted=yes] https://repo.example.org/debian stable main'] },
      '/extra_repos/0/trusted unknown_field',
    ],
    [
      'a repository without a key',
      { extra_repos: ['deb https://repo.example.org/debian stable main'] },
      '/extra_repos/0/signed_by text',
    ],
    [
      'an http git address',
      { custom_packages: [{ name: 'ab', git_url: 'http://example.org/x.git' }] },
      '/custom_packages/0/git_url https_url',
    ],
    [
      'repositories',
      {
        extra_repos: [
          { uri: 'https://repo.example.org/debian', suite: 'stable', components: ['main'], signed_by: 'x' },
        ],
      },
      '/extra_repos/0 not_effective_yet',
    ],
    [
      'packages from git',
      { custom_packages: [{ name: 'ab', git_url: 'https://example.org/x.git' }] },
      '/custom_packages/0 not_effective_yet',
    ],
    ['settings of a desktop', { desktop: {} }, '/desktop not_effective_yet'],
    ['a signed boot chain', { security: { secure_boot: true } }, '/security/secure_boot not_effective_yet'],
    ['other formats', { output: { formats: ['iso', 'qcow2'] } }, '/output/formats/1 not_effective_yet'],
    [
      'a collector that keeps the exporter from starting',
      { services: [{ name: 'monitoring', config: { collectors: ['systemd', 'proceses'] } }] },
      '/services/0/config/collectors/1 unknown_collector',
    ],
    [
      'a database that nobody makes',
      {
        services: [{ name: 'postgresql', config: { databases: ['app'], users: [{ name: 'app', databases: ['ap'] }] } }],
      },
      '/services/0/config/users/0/databases/0 unknown_database',
    ],
    [
      'two answers to the rest of the traffic',
      { networking: { firewall: { rules: [] } }, services: [{ name: 'firewall', config: { default: 'allow' } }] },
      '/services/0/config/default firewall_default',
    ],
    [
      'two owners of a database',
      {
        services: [
          {
            name: 'postgresql',
            config: {
              databases: ['app'],
              users: [
                { name: 'a', databases: ['app'] },
                { name: 'b', databases: ['app'] },
              ],
            },
          },
        ],
      },
      '/services/0/config/users/1/databases/0 database_owned_twice',
    ],
    [
      'a VPN key that networkd cannot read',
      { services: [{ name: 'vpn', config: {} }], files: [{ path: '/etc/wireguard/private.key', content: 'x' }] },
      '/files/0 key_unreadable',
    ],
    ['two mail servers', { packages: ['exim4-daemon-light', 'postfix'] }, '/packages/1 package_conflict'],
    [
      'a package that a feature cannot be with',
      { packages: ['systemd-timesyncd'], features: ['ntp'] },
      '/packages/0 package_conflict',
    ],
    [
      'two sites of one name',
      {
        services: [
          {
            name: 'nginx',
            config: {
              sites: [
                { server_name: 'a.example', root: '/srv/a' },
                { server_name: 'A.example', root: '/srv/b', port: 80 },
              ],
            },
          },
        ],
      },
      '/services/0/config/sites/1/server_name duplicate_site',
    ],
    [
      'a site with TLS and one without it on one port',
      {
        services: [
          {
            name: 'nginx',
            config: {
              sites: [
                { server_name: 'a.example', root: '/srv/a', port: 80, ssl: true },
                { server_name: 'b.example', root: '/srv/b' },
              ],
            },
          },
        ],
      },
      '/services/0/config/sites/1/port site_port',
    ],
    [
      'a package without which nothing boots',
      { package_overrides: [{ name: 'live-boot', action: 'remove' }] },
      '/package_overrides/0/name package_needed',
    ],
    [
      'an essential package in another’s place',
      { package_overrides: [{ name: 'base-files', action: 'replace', replacement: 'nano' }] },
      '/package_overrides/0/name package_needed',
    ],
    [
      'a kernel argument that is too long',
      { system: { kernel_args: ['a'.repeat(256)] } },
      '/system/kernel_args/0 kernel_argument',
    ],
    ['two web servers', { features: ['nginx', 'apache'] }, '/features feature_conflict'],
    [
      'a parameter of another assertion',
      { tests: [{ description: 'd', assertions: [{ type: 'boot', params: { prot: 1 } }] }] },
      '/tests/0/assertions/0/params/prot unknown_parameter',
    ],
  ])('find %s', async (_what, more, expected) => expect(await errorsOf(more)).toContain(expected));

  it.each([
    ['nobody can log in', { users: [] }, '/users no_login'],
    [
      'sudo that has no password to ask for',
      {
        features: ['ssh'],
        users: [{ username: 'ada', sudo: true, ssh_authorized_keys: [`ssh-ed25519 AAAA${'B'.repeat(64)}`] }],
      },
      '/users/0/sudo sudo_without_password',
    ],
    [
      'the group sudo without a password',
      {
        users: [
          {
            username: 'ada',
            groups: ['sudo'],
            password_hash: '!',
            ssh_authorized_keys: [`ssh-ed25519 AAAA${'B'.repeat(64)}`],
          },
        ],
      },
      '/users/0/groups sudo_without_password',
    ],
    [
      'keys without SSH',
      { users: [{ username: 'ada', ssh_authorized_keys: [`ssh-ed25519 AAAA${'B'.repeat(64)}`] }] },
      '/users no_login',
    ],
    ['two name servers, both as packages', { packages: ['bind9', 'dnsmasq'] }, '/packages/1 port_conflict'],
    [
      'a name server beside a service',
      { packages: ['dnsmasq'], services: [{ name: 'dns', config: {} }] },
      '/packages/0 port_conflict',
    ],
    ['a name server beside systemd-resolved', { packages: ['dnsmasq'] }, '/packages/0 port_conflict'],
    ['a web server beside a feature', { packages: ['lighttpd'], features: ['nginx'] }, '/packages/0 port_conflict'],
    [
      'a web server beside another on its port',
      { features: ['apache'], services: [{ name: 'monitoring', config: { port: 80 } }] },
      '/features/0 port_conflict',
    ],
    [
      'a Redis that answers nobody',
      { services: [{ name: 'redis', config: { bind: ['127.0.0.1', '0.0.0.0'] } }] },
      '/services/0/config/bind/1 redis_protected',
    ],
  ])('warn of %s', async (_what, more, expected) => expect(await warningsOf(more)).toContain(expected));

  it('take the one answer that is given to the rest of the traffic', async () => {
    expect(
      await errorsOf({ networking: { firewall: { default: 'allow' } }, services: [{ name: 'firewall', config: {} }] }),
    ).toEqual([]);
  });

  it('are quiet about a name server that keeps away from the resolver, and about a package that its own feature names too', async () => {
    expect(await warningsOf({ packages: ['bind9', 'nginx'], features: ['dns', 'nginx'] })).toEqual([]);
    expect(
      await warningsOf({ packages: ['dnsmasq'], package_overrides: [{ name: 'systemd-resolved', action: 'remove' }] }),
    ).toEqual([]);
  });

  it('are quiet about a login by key with SSH', async () => {
    expect(
      await warningsOf({
        features: ['ssh'],
        users: [{ username: 'ada', ssh_authorized_keys: [`ssh-ed25519 AAAA${'B'.repeat(64)} ada@example.org`] }],
      }),
    ).toEqual([]);
  });
});
