// Which users and groups packages make, and what else installed packages say: they are installed one after the other, and the programs that make accounts write down for whom they
// did it (DPKG_MAINTSCRIPT_PACKAGE, dpkg(1)).
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inTree, linesOf } from './in-tree.mjs';

const [tree, work] = process.argv.slice(2);

/** Packages of features, and servers that people use, whose maintainer scripts make accounts; those that another base has are passed over. */
const makers = [
  'avahi-daemon',
  'bind9',
  'chrony',
  'clamav-base',
  'cups-daemon',
  'dnsmasq-base',
  'docker.io',
  'exim4-daemon-light',
  'haproxy',
  'i2c-tools',
  'kea-dhcp4-server',
  'libvirt-daemon-system',
  'lightdm',
  'mariadb-server',
  'memcached',
  'mosquitto',
  'nfs-common',
  'ntpsec',
  'openssh-server',
  'opendkim',
  'openvpn',
  'polkitd',
  'postfix',
  'postgresql-common',
  'prometheus',
  'prometheus-node-exporter',
  'proftpd-core',
  'rabbitmq-server',
  'redis-server',
  'samba-common',
  'snmpd',
  'squid',
  'ssl-cert',
  'systemd-timesyncd',
  'tcpdump',
  'tor',
  'unbound',
  'uuid-runtime',
  'vsftpd',
  'wireshark-common',
  'xrdp',
  'aide-common',
].filter((name) => /^ {2}Candidate: \d/m.test(inTree(tree, 'apt-cache', 'policy', name)));

writeFileSync(path.join(tree, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
const wrapper = [
  '#!/bin/sh',
  'names() { for kind in passwd group; do cut -d: -f1 "/etc/$kind" | sed "s/^/$kind /"; done | sort; }',
  'before=$(mktemp); names > "$before"',
  '"$0.real" "$@"; code=$?',
  'names | comm -13 "$before" - | sed "s/^/$DPKG_MAINTSCRIPT_PACKAGE /" >> /var/of-accounts',
  'rm -f "$before"; exit $code',
  '',
].join('\n');
for (const program of ['/usr/sbin/useradd', '/usr/sbin/groupadd', '/usr/bin/systemd-sysusers']) {
  if (!existsSync(path.join(tree, program))) continue;
  inTree(tree, 'dpkg-divert', '--quiet', '--local', '--rename', '--divert', `${program}.real`, program);
  writeFileSync(path.join(tree, program), wrapper, { mode: 0o755 });
}
const failed = [];
for (const name of makers) {
  try {
    inTree(
      tree,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-q',
      '-y',
      '--no-install-recommends',
      '-o',
      'DPkg::Options::=--force-unsafe-io',
      'install',
      name,
    );
  } catch {
    failed.push(name);
  }
}
if (failed.length) console.error(`could not be installed, their accounts may be missing: ${failed.join(', ')}`);
const accounts = {};
for (const line of linesOf(path.join(tree, 'var/of-accounts'))) {
  const [name, kind, account] = line.split(' ');
  const entry = (accounts[name] ??= { users: [], groups: [] });
  const list = kind === 'passwd' ? entry.users : entry.groups;
  if (account && !list.includes(account)) list.push(account);
}
// It is among the packages that were installed.
const flags = inTree(tree, '/bin/sh', '-c', 'prometheus-node-exporter --help 2>&1');
const collectors = [...flags.matchAll(/^ +--(?:\[no-\])?collector\.([a-z0-9_]+)(?: |$)/gm)]
  .map(([, name]) => name)
  .sort();
writeFileSync(
  path.join(work, 'accounts.json'),
  JSON.stringify({
    accounts: Object.fromEntries(Object.entries(accounts).sort(([a], [b]) => (a < b ? -1 : 1))),
    collectors,
  }),
);
