import { describe, expect, it } from '@jest/globals';
import { repositoryUri } from './repository-uri.js';
import * as rules from './text-rules.js';
import * as serviceRules from '../services/service-rules.js';

const key = `ssh-ed25519 AAAA${'C'.repeat(64)}`;
const table: [rules.TextRule, string[], string[]][] = [
  [rules.recipeName, ['a', 'web-1', 'a'.repeat(63)], ['', 'A', '-a', 'a-', 'a'.repeat(64), 'a\n', 'a b']],
  [
    rules.packageSpec,
    ['libstdc++6', 'curl=7.88.1-10+deb12u5', 'ab=1:2.3~rc1-1'],
    ['a', 'Curl', '-ab', 'curl=', 'curl=1 2', 'curl;id', 'curl\n', '../x'],
  ],
  [rules.hostLabel, ['a', 'Web-1', '1a'], ['', '-a', 'a-', 'a.b', 'a_b', 'a\nb', 'a'.repeat(64)]],
  [
    rules.absolutePath,
    ['/a', '/etc/a.b/..c', '/srv/www/', '/a b'],
    ['', '/', 'a', '/a/../b', '/..', '/a/./b', '//a', '/a//b', '/a\0', '/a\nb', `/${'a'.repeat(1024)}`],
  ],
  [rules.octalMode, ['0644', '755', '4755'], ['644x', '0888', '00644', '64']],
  [
    rules.anyAccountName,
    ['ada', 'Debian-exim', '_apt', 'first.last'],
    ['', '1a', '-a', '.a', 'a b', 'a:b', 'a,b', 'a$', 'a'.repeat(33), 'ada\n'],
  ],
  [rules.accountName, ['ada', '_svc', 'a-1_b'], ['', 'Ada', '1a', '-a', 'a b', 'a:b', 'a'.repeat(33), 'ada\n']],
  [
    rules.cidrAddress,
    ['192.0.2.1/24', '2001:db8::1/64'],
    ['192.0.2.1', '192.0.2.1/33', '192.0.2/24', 'x/24', '2001:db8::1/129'],
  ],
  [rules.ipAddress, ['192.0.2.1', '::1', '2001:db8::1'], ['192.0.2', '0x7f.1', '1', '', 'a']],
  [
    rules.sshKey,
    [key, `${key} ada@example.org`],
    ['', 'ssh-ed25519 AAAA', `${key}\n${key}`, `command="id" ${key}`, `ssh-dss AAAA${'C'.repeat(64)}`],
  ],
  [
    rules.passwordHash,
    ['$y$j9T$abc$defgh', '$6$rounds=5000$salt$hash', '$5$s$hashhash', '!', '*', '!$6$salt$hash'],
    ['', 'secret', '$1$salt$hash', '$2b$10$abcdefgh', '$y$a:b$cdefgh', '$6$salt$hash\n'],
  ],
  [
    rules.timezone,
    ['UTC', 'Europe/Berlin', 'Asia/Calcutta', 'Etc/GMT+2', 'America/Argentina/Buenos_Aires'],
    ['', '../../etc/passwd', 'Europe/Berlin\n', '/Europe/Berlin', 'a/b/c/d'],
  ],
  [
    rules.localeName,
    ['C.UTF-8', 'de_DE.UTF-8', 'C', 'ca_ES.UTF-8@valencia', 'de_DE.utf8', 'ru_RU.KOI8-R'],
    ['', 'de-DE', 'en_US.UTF-8; id', '../de'],
  ],
  [rules.keyboardLayout, ['us', 'de(nodeadkeys)', 'de(T3)'], ['', 'US', 'us;id', 'de()']],
  [rules.kernelArgument, ['quiet', 'console=ttyS0,115200'], ['', 'a b', 'a\nb', '-x', 'ä']],
  [
    rules.httpsUrl,
    ['https://example.org/a.git'],
    ['http://example.org', 'https://u:p@example.org', 'https://a b', 'file:///etc', 'git@example.org:a'],
  ],
  [
    repositoryUri,
    ['https://repo.example.org/debian', 'http://192.0.43.8/x'],
    [
      'file:///srv',
      'copy:/srv',
      'https://localhost/x',
      'https://a.localhost',
      'http://127.0.0.1',
      'http://127.1',
      'http://0x7f000001',
      'http://10.0.0.1',
      'http://169.254.169.254',
      'http://[::1]',
      'http://[fd00::1]',
      'http://[::ffff:10.0.0.1]',
      'http://192.168.1.1',
      'http://repo',
      'http://repo.internal.',
      'http://u:p@repo.example.org',
      'ftp://repo.example.org',
      'http://100.64.0.1',
      'http://0.0.0.0',
    ],
  ],
  [
    serviceRules.wireguardKey,
    ['xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='],
    ['', 'xTIB', 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8DgX'],
  ],
  [serviceRules.endpoint, ['vpn.example.org:51820', '[2001:db8::1]:51820'], ['vpn.example.org', 'a b:1', 'a:99999']],
  [serviceRules.serverName, ['_', 'example.org', '*.example.org'], ['a;b', 'a b', '', '*.*']],
];

describe.each(table.map(([rule, good, bad]) => [rule.code, rule, good, bad] as const))(
  'the rule %s',
  (_code, rule, good, bad) => {
    it.each(good.map((text) => [text]))('takes %j', (text) => expect(rule.test(text)).toBe(true));
    it.each(bad.map((text) => [text]))('refuses %j', (text) => expect(rule.test(text)).toBe(false));
  },
);
