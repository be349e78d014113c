import { requireShortPaths } from './path-length.js';
import { handed, readOnlyDevices, restraints } from './restraints.js';
import { runInTree, runOnTree } from './tree-sandbox.js';

/** What must not be in an image: identities, secrets, caches, logs, and whatever differs between two installations of the same packages. */
const unwanted = [
  '/etc/apt/apt.conf.d/99mmdebstrap',
  '/etc/ssh/ssh_host_*_key*',
  '/var/lib/dbus/machine-id',
  '/var/lib/systemd/random-seed',
  '/var/lib/systemd/credential.secret',
  '/etc/bind/rndc.key',
  '/etc/xrdp/rsakeys.ini',
  '/var/lib/rabbitmq/.erlang.cookie',
  '/etc/iscsi/initiatorname.iscsi',
  '/etc/nvme/hostid',
  '/etc/nvme/hostnqn',
  '/etc/hostid',
  '/etc/docker/key.json',
  '/etc/varnish/secret',
  '/etc/dropbear/dropbear_*_host_key',
  '/etc/dropbear/initramfs/dropbear_*_host_key',
  '/etc/unbound/unbound_*.key',
  '/etc/unbound/unbound_*.pem',
  '/etc/nsd/nsd_*.key',
  '/etc/nsd/nsd_*.pem',
  '/var/lib/docker/engine-id',
  '/var/lib/NetworkManager/secret_key',
  '/etc/.pwd.lock',
  '/etc/passwd-',
  '/etc/group-',
  '/etc/shadow-',
  '/etc/gshadow-',
  '/etc/subuid-',
  '/etc/subgid-',
  '/var/cache/apt/*.bin',
  '/var/cache/apt/archives/*.deb',
  '/var/lib/apt/lists/*',
  '/var/cache/ldconfig/aux-cache',
  '/var/cache/debconf/*-old',
  '/var/lib/dpkg/*-old',
  '/var/lib/dpkg/available',
  '/var/log/*.log',
  '/var/log/apt/*',
  '/var/log/alternatives.log',
  '/var/log/journal/*',
  '/var/lib/systemd/catalog/database',
  '/etc/ssl/private/ssl-cert-snakeoil.key',
  '/etc/ssl/certs/ssl-cert-snakeoil.pem',
  '/root/.bash_history',
  '/var/cache/man/*',
];

/**
 * Static, its words are arguments: removes what is unwanted, blanks machine-id and the id of popularity-contest, and sets the day of the last password change (shadow(5),
 * third field), which tools fill with today, to the image's.
 */
const script = [
  'day=$1; shift',
  'for pattern in "$@"; do for found in $pattern; do [ -e "$found" ] || [ -L "$found" ] || continue; rm -rf -- "$found"; done; done',
  'rm -rf /etc/machine-id; : > /etc/machine-id',
  'if [ -f /etc/popularity-contest.conf ] && [ ! -L /etc/popularity-contest.conf ] && grep -q "^MY_HOSTID=..." /etc/popularity-contest.conf; then sed -i "s/^MY_HOSTID=.*/MY_HOSTID=\\"\\"/" /etc/popularity-contest.conf; fi',
  'if [ -f /etc/shadow ] && [ ! -L /etc/shadow ]; then sed -i -E "s/^([^:]*:[^:]*):[0-9]+:/\\1:$day:/" /etc/shadow; rm -f /etc/shadow-; fi',
].join('\n');

export interface CleanOptions {
  /** The layers below, bottom first; none for a tree that stands alone. */
  lowers: string[];
  epochSeconds: number;
  signal: AbortSignal;
  /** See NamespaceOptions. */
  mounts?: number;
}

/** @throws AppError `path_too_long` */
export async function cleanTree(tree: string, { lowers, epochSeconds, ...limits }: CleanOptions): Promise<void> {
  const args = ['-c', script, 'sh', String(Math.floor(epochSeconds / 86_400)), ...unwanted];
  if (lowers.length) {
    await requireShortPaths(tree, limits);
    await runInTree('/bin/sh', args, { lowers, upper: tree, deadlineMs: 120_000, ...limits });
    return;
  }
  await runOnTree('bwrap', ['--bind', tree, '/', ...restraints, ...readOnlyDevices, '--', '/bin/sh', ...args], {
    deadlineMs: 120_000,
    ...limits,
    handed: handed(),
  });
}
