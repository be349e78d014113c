import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { productRoot } from '#libs/platform';
import { catalogue } from '../../libs/recipes/src/testing/recipe.factory.js';

const program = readFileSync(path.join(productRoot, 'libs/builds/machine/packages'), 'utf8');
const cleaning = readFileSync(path.join(productRoot, 'libs/builds/src/pipeline/tree/clean-tree.ts'), 'utf8');
const snakeoil = '/etc/ssl/private/ssl-cert-snakeoil.key';

/** What maintainer scripts make, which is the same in all machines of an image unless it is cleaned out of it and made by each machine. */
const madeWhenInstalled: Record<string, string[]> = {
  apache2: [snakeoil],
  bind9: ['/etc/bind/rndc.key'],
  dropbear: ['/etc/dropbear/dropbear_*_host_key'],
  nsd: ['/etc/nsd/nsd_*.key'],
  'openssh-server': ['/etc/ssh/ssh_host_*_key*'],
  postgresql: [snakeoil],
  'rabbitmq-server': ['/var/lib/rabbitmq/.erlang.cookie'],
  varnish: ['/etc/varnish/secret'],
  vsftpd: [snakeoil],
  xrdp: ['/etc/xrdp/rsakeys.ini', snakeoil],
};
/** What comes with others, or is asked for by name. */
const madeByOthers: Record<string, string[]> = {
  'nvme-cli': ['/etc/nvme/hostid', '/etc/nvme/hostnqn'],
  'open-iscsi': ['/etc/iscsi/initiatorname.iscsi'],
  'popularity-contest': ['/etc/popularity-contest.conf'],
  'zfsutils-linux': ['/etc/hostid'],
};
/** What services make when they first start, which the clones of one boot share unless it is forgotten. */
const madeWhenStarted: Record<string, string[]> = {
  caddy: ['/var/lib/caddy/.local/share/caddy/instance.uuid', '/var/lib/caddy/.local/share/caddy/pki'],
  cockpit: ['/etc/cockpit/ws-certs.d/0-self-signed.key'],
  'cockpit-ws': ['/etc/cockpit/ws-certs.d/0-self-signed.key'],
  containerd: ['/var/lib/containerd/io.containerd.grpc.v1.introspection/uuid'],
  cups: ['/etc/cups/ssl'],
  'docker.io': ['/etc/docker/key.json', '/var/lib/docker/engine-id'],
  samba: ['/var/lib/samba/private/secrets.tdb'],
  snmpd: ['/var/lib/snmp/snmpd.conf'],
  unbound: ['/etc/unbound/unbound_server.key'],
};

/** Why the others are in no table, from what their maintainer scripts and units do on Debian 12 and 13. */
const makeNothing: Record<string, string> = {
  'run by somebody, and keep nothing before':
    'aide apparmor-utils bind9-dnsutils borgbackup build-essential buildah can-utils cargo certbot chromium clamav cmake conntrack curl dcmtk default-jdk-headless docker-compose ethtool firefox-esr gdb git git-lfs golang gradle htop i2c-tools iperf3 ipset iptables jq jupyter-notebook less libreoffice libreoffice-gtk3 libvirt-clients lm-sensors lynis mariadb-backup maven mbpoll mosquitto-clients mtr-tiny ninja-build nmap nodejs npm octave php-cli pipx pkg-config podman postgresql-client python3 python3-pip python3-venv qemu-system-x86 qemu-utils r-base-core rclone restic rustc skopeo slirp4netns snmp socat sqlite3 system-config-printer tcpdump thunderbird tmux uidmap vim virtinst',
  'libraries, rules and faces':
    'apparmor-profiles audispd-plugins fonts-dejavu libapache2-mod-php libnss-mdns libpam-pwquality libpam-tmpdir libpq-dev lightdm-gtk-greeter php-mysql php-pgsql php-redis python3-dev python3-matplotlib python3-numpy python3-pandas python3-pymodbus python3-scipy python3-sklearn python3-systemd r-cran-dplyr r-cran-ggplot2 xfce4 xfce4-terminal xorgxrdp xserver-xorg',
  'serve with what their configuration says':
    'apparmor atftpd auditd avahi-daemon chrony clamav-freshclam dnsmasq fail2ban haproxy isc-dhcp-server kea-dhcp4-server keepalived knot lighttpd logrotate memcached mosquitto nfs-kernel-server nftables nginx nginx-extras nginx-light pdns-recursor pdns-server pgbouncer php-fpm prometheus prometheus-alertmanager prometheus-blackbox-exporter prometheus-node-exporter prometheus-postgres-exporter proftpd-core pure-ftpd redis-server rsync rsyslog smartmontools squid tftpd-hpa tomcat10 unattended-upgrades valkey-server',
  'cookies of a session, made when it begins': 'lightdm',
  'a key for each tunnel, which the recipe’s own work makes (vpn.renderer.ts)': 'wireguard-tools',
  'root by its socket, without a password': 'mariadb-server',
  'its instance without a data source is always the same one': 'cloud-init',
  'the uuid of a network that nobody outside sees': 'libvirt-daemon-system',
  'its database of sums is made when the machine asks': 'aide-common',
};

describe('the packages of the catalogue', () => {
  const named = new Set([
    ...catalogue.features.flatMap(({ packages }) => packages),
    ...catalogue.templates.flatMap(({ recipe }) => (recipe as { packages?: string[] }).packages ?? []),
    ...catalogue.daemons.map((daemon) => daemon.package),
  ]);

  it('are known for the secrets that they make, or for making none', () => {
    const known = [
      ...Object.keys(madeWhenInstalled),
      ...Object.keys(madeWhenStarted),
      ...Object.values(makeNothing).flatMap((names) => names.split(' ')),
    ];
    expect([...named].filter((name) => !known.includes(name))).toEqual([]);
    expect(known.filter((name) => !named.has(name))).toEqual([]);
    expect(known.filter((name, at) => known.indexOf(name) !== at)).toEqual([]);
  });

  it.each(Object.entries({ ...madeWhenInstalled, ...madeByOthers }))(
    'make none for all machines of an image: %s',
    (_name, files) => {
      for (const file of files) expect(cleaning).toContain(file);
    },
  );

  const byEachMachine = Object.entries({ ...madeWhenInstalled, ...madeByOthers, ...madeWhenStarted }).filter(
    ([name]) => name !== 'openssh-server',
  );
  it.each(byEachMachine)('have each machine make its own: %s', (_name, files) => {
    for (const file of files) expect(program).toContain(file.replace(/_\*.*/, '_'));
  });
});
